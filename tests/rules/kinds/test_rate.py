"""When a change over a while is too fast, what is no change at all, and what may not be written."""

from __future__ import annotations

from typing import Any

import pytest

from rules.kinds import rate
from rules.model import Series, Window
from tests.rules.house import T0

MINUTE = list(range(0, 70, 10))
UP = [0, 10, 20, 30, 40, 50, 60]


def rule(**options: Any) -> rate.Rule:
    return rate.Rule(
        rate.Options(**{"name": "r", "metric": "x_bytes", "over_s": 60, "above": 5.0, **options})
    )


def reading(rule: rate.Rule, values: list[float], times: list[int] = MINUTE) -> float | None:
    window: Window | None = None
    for second, value in zip(times, values, strict=True):
        window = rule.slide(window, T0 + second * 1000, value)
    assert window is not None
    return rule.reading(window)


@pytest.mark.parametrize(
    ("options", "values", "expected", "sentence"),
    [
        ({}, UP, 1, "60 in a minute is one a second"),
        ({"per_s": 3600}, UP, 3600, "... or 3600 an hour"),
        ({}, UP[::-1], -1, "what falls has a rate below zero"),
        ({}, [0, 99, 0, 99, 0, 99, 0], 0, "back and forth is no change"),
        ({"counter": True}, UP, 1, "a counter that rises"),
        ({"counter": True}, [100, 110, 120, 0, 10, 20, 30], 50 / 60, "from zero: 20 before and 30 since"),
        ({"counter": True}, [100, 110, 120, 5, 15, 25, 35], 55 / 60, "... 5 of it before the first look"),
        ({"counter": True}, [7] * 7, 0, "a counter that stands"),
        ({"over_s": 30}, [0, 0, 0, 0, 10, 20, 30], 1, "only the window counts"),
        ({"over_s": 90}, UP, None, "nothing is said before the window is full"),
    ],
)
def test_a_rate(options: dict[str, Any], values: list[float], expected: float | None, sentence: str) -> None:
    assert reading(rule(**options), values) == (expected if expected is None else pytest.approx(expected)), (
        sentence
    )


def test_what_is_left_out_in_between_changes_no_rate() -> None:
    seconds = list(range(601))
    counted = [(second * 3) % 700 for second in seconds]
    whole = 3 * 600 - 2 * (700 - 697) + 0.0
    assert reading(rule(over_s=600, counter=True), [float(v) for v in counted], seconds) == pytest.approx(
        whole / 600, abs=0.02
    )


@pytest.mark.parametrize(
    ("options", "value", "passed", "clings"),
    [
        ({"above": 10.0}, 10.1, "warning", "warning"),
        ({"above": 10.0}, 9.6, None, "warning"),
        ({"above": 10.0}, 9.5, None, None),
        ({"below": -10.0}, -10.1, "warning", "warning"),
        ({"below": -10.0}, -9.6, None, "warning"),
        ({"above": {"warning": 1.0, "critical": 2.0}, "clear": 0.0}, 0.5, None, "warning"),
    ],
)
def test_a_rate_against_its_limits(
    options: dict[str, Any], value: float, passed: str | None, clings: str | None
) -> None:
    verdict = rule(**{"above": None, **options}).verdict(value)
    assert (verdict.severity, verdict.clings) == (passed, clings)


def test_its_words() -> None:
    series = Series.parse('disk_used_bytes{mount="/"}')
    hourly = rule(metric=series.name, per_s=3600, above=2.0**30)
    assert (
        hourly.breach(series, 5 * 2.0**30, 2.0**30, "") == "disk used / changes by 5 GiB per h > 1 GiB per h"
    )
    assert rule(per_s=90).says(3) == "3 B per 90 s"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"over_s": 5}, "over must be between 10s and 2h"),
        ({"over_s": 7201}, "over must be between 10s and 2h"),
        ({"per_s": 0.5}, "per must be between 1s and 31d"),
        ({"above": None}, "give either above or below"),
    ],
)
def test_what_may_not_be_written(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rule(**options)
