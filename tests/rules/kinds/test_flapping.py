"""How many changes are too many, when it is over, and what may not be written."""

from __future__ import annotations

from typing import Any

import pytest

from rules.kinds import flapping
from rules.model import Series, Window
from tests.rules.house import T0, House

CHECK = 'check_state{check="web",kind="http"}'


def rule(**options: Any) -> flapping.Rule:
    return flapping.Rule(flapping.Options(**{"name": "f", "over_s": 60, "above": 3.0, **options}))


@pytest.mark.parametrize(
    ("values", "expected", "sentence"),
    [
        ([0, 0, 0, 0, 0, 0, 0], 0, "nothing changes"),
        ([0, 2, 2, 2, 0, 0, 0], 2, "there and back are two changes"),
        ([0, 1, 2, 0, 1, 2, 0], 6, "each other state is one"),
        ([0, 2, 0, 2, 0], 4, "too many are too many before the window is full"),
        ([0, 2, 0, 2], None, "... and few are not few before that"),
        ([0, 2, 0, 2, 0, 0, 0, 0, 0, 0], 1, "what is older than the window does not count"),
    ],
)
def test_changes_are_counted(values: list[float], expected: float | None, sentence: str) -> None:
    window: Window | None = None
    for place, value in enumerate(values):
        window = rule().slide(window, T0 + place * 10_000, value)
    assert window is not None
    assert rule().reading(window) == expected, sentence


def test_a_check_that_comes_and_goes_rings_once_and_is_over_when_it_is_calm() -> None:
    house = House([rule(over_s=120)])
    at_s = 0
    for state in [0] * 13 + [2, 0] * 6 + [0] * 20:
        house.batch(at_s, {CHECK: state})
        at_s += 10
    assert [(notice.reason, notice.title.split(" (since")[0]) for notice in house.notices][:1] == [
        ("first", "WARNING h1: check web (http) changed 4 times in 2 min > 3")
    ]
    assert [reason for _, reason, _ in house.told] == ["first", "resolved"]


def test_no_answer_is_no_change_but_makes_it_unknown() -> None:
    house = House([rule()])
    for place, state in enumerate([0, None, 0, None, 0, None, 0, None]):
        house.batch(place * 10, {CHECK: state})
    assert house.stands("f") == "unknown"
    assert house.notices == []


def test_its_words() -> None:
    assert rule().says(4) == "4 changes in 60 s"
    assert rule().breach(Series.parse("net_up"), 4, None, "") == "net up changed 4 times in 60 s"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"over_s": 30}, "over must be between 1m and 2h"),
        ({"over_s": 7201}, "over must be between 1m and 2h"),
        ({"above": 0.5}, "above must be between 1 and 199 changes"),
        ({"above": 200.0}, "above must be between 1 and 199 changes"),
        ({"above": None, "below": 3.0}, "below makes no sense here"),
    ],
)
def test_what_may_not_be_written(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rule(**options)
