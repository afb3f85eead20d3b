"""How the values of a story are written."""

from __future__ import annotations

import math

import pytest

from collector.cli.rules.notation import BATCHES_MAX, MISSING, expanded


@pytest.mark.parametrize(
    ("text", "values", "sentence"),
    [
        ("96", [96], "a number is one batch"),
        ("96 -1.5 1e3", [96, -1.5, 1000], "spaces stand between"),
        ("96x3", [96, 96, 96], "as often as it says"),
        ("96x30s 1", [96, 96, 96, 1], "or for so long, at one batch every ten seconds"),
        ("10+2x3", [10, 12, 14], "rising"),
        ("10-0.5x3", [10, 9.5, 9], "falling"),
        ("-1-1x2", [-1, -2], "what is negative may fall too"),
        ("_ 5 _x2", [MISSING, 5, MISSING, MISSING], "not there"),
    ],
)
def test_values_in_a_line(text: str, values: list[object], sentence: str) -> None:
    assert expanded(text, 10_000) == values, sentence


def test_null_is_a_check_that_gave_no_answer() -> None:
    first, second = expanded("nullx2", 10_000)
    assert isinstance(first, float)
    assert isinstance(second, float)
    assert math.isnan(first)
    assert math.isnan(second)


@pytest.mark.parametrize(
    "text", ["", "x3", "96x", "96xx3", "5+1", "_+1x3", "null-1x3", "96x3q", "1,2", "nan", "inf"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expanded(text, 10_000)


def test_there_is_an_end_to_it() -> None:
    with pytest.raises(ValueError, match="more than"):
        expanded(f"1x{BATCHES_MAX} 1x999999999999", 10_000)
    with pytest.raises(ValueError, match="more than"):
        expanded("1x52w", 1_000)
