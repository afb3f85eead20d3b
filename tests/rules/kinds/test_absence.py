"""How long a host may say nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.house import House, silence


@pytest.mark.parametrize(
    ("options", "every_ms", "patience_ms"),
    [
        ({}, 10_000, 30_000),
        ({"intervals": 5.0}, 10_000, 50_000),
        ({"intervals": 1.5}, 60_000, 90_000),
        ({"for_s": 60.0}, 10_000, 90_000),
        ({}, 200, 3_000),
    ],
)
def test_patience_is_counted_in_the_hosts_own_intervals(
    options: dict[str, Any], every_ms: int, patience_ms: int
) -> None:
    assert silence(**options).patience_ms(every_ms) == patience_ms


@pytest.mark.parametrize("intervals", [0.5, 0, -3, float("nan"), 20_000])
def test_less_than_one_interval_is_refused(intervals: float) -> None:
    with pytest.raises(ValueError, match="intervals must be between 1 and 10000"):
        silence(intervals=intervals)


@pytest.mark.parametrize(
    ("heard_s", "now_s", "stands", "sentence"),
    [
        ([], 3600, "ok", "a host that was never heard has not joined yet"),
        ([0], 30, "ok", "three intervals are not over at their end"),
        ([0], 30.1, "firing", "but just after"),
        ([0, 10, 20], 49, "ok", "each batch begins its time anew"),
        ([0, 10, 20], 51, "firing", "from the last batch on"),
        ([0, 60], 61, "ok", "a batch ends it at once"),
    ],
)
def test_silence(heard_s: list[float], now_s: float, stands: str, sentence: str) -> None:
    house = House([silence()])
    for at_s in heard_s:
        house.tick(at_s)
        house.batch(at_s, {"load1": 1})
    house.tick(now_s)
    assert house.stands("absent") == stands, sentence
