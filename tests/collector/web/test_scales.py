"""Axes with few ticks at round numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.scales import STEPS_MAX, time_ticks, value_axis
from collector.web.words import DAY_MS, HOUR_MS, Times, zone_named

NOW = 1_795_140_000_000  # Friday, 2026-11-20 02:00:00 UTC


def texts(unit: str, lowest: float, highest: float, *, from_zero: bool = True) -> list[str]:
    axis = value_axis(unit, lowest, highest, from_zero=from_zero)
    return [text.replace("\N{NO-BREAK SPACE}", " ") for _, text in axis.ticks]


@pytest.mark.parametrize(
    ("unit", "highest", "expected"),
    [
        ("%", 61.0, ["0", "25 %", "50 %", "75 %", "100 %"]),
        ("%", 3.2, ["0", "1 %", "2 %", "3 %", "4 %"]),
        ("%", 140.0, ["0", "50 %", "100 %", "150 %"]),
        ("B", 812 * 2.0**20, ["0", "250 MiB", "500 MiB", "750 MiB", "1 000 MiB"]),
        ("B/s", 2_700_000.0, ["0", "1 MB/s", "2 MB/s", "3 MB/s"]),
        ("ms", 1_800.0, ["0", "0.5 s", "1 s", "1.5 s", "2 s"]),
        ("", 7.0, ["0", "2", "4", "6", "8"]),
        ("%", 0.0, ["0", "0.25 %", "0.5 %", "0.75 %", "1 %"]),
    ],
)
def test_ticks_stand_at_round_numbers_in_units_people_use(
    unit: str, highest: float, expected: list[str]
) -> None:
    said = [text.replace("\N{NARROW NO-BREAK SPACE}", " ") for text in texts(unit, 0.0, highest)]
    assert said == expected


def test_what_is_no_share_may_begin_above_zero() -> None:
    assert texts("°C", 40.0, 43.0, from_zero=False) == ["40 °C", "41 °C", "42 °C", "43 °C"]


@given(
    unit=st.sampled_from(["", "%", "B", "B/s", "ms", "s", "°C"]),
    ends=st.tuples(st.floats(-1e15, 1e15), st.floats(-1e15, 1e15)),
    from_zero=st.booleans(),
)
def test_any_values_lie_on_their_axis_and_ticks_are_few(
    unit: str, ends: tuple[float, float], from_zero: bool
) -> None:
    lowest, highest = min(ends), max(ends)
    axis = value_axis(unit, lowest, highest, from_zero=from_zero)
    slack = 1e-6 * (axis.high - axis.low)
    assert axis.low - slack <= lowest <= highest <= axis.high + slack
    assert 1 < len(axis.ticks) <= STEPS_MAX + 1
    assert len({text for _, text in axis.ticks}) == len(axis.ticks)
    if from_zero and lowest >= 0:
        assert axis.low == 0


@pytest.mark.parametrize(
    ("span_ms", "expected"),
    [
        (HOUR_MS, ["02:15", "02:30", "02:45", "03:00"]),
        (6 * HOUR_MS, ["22:00", "00:00", "02:00"]),
        (DAY_MS, ["06:00", "12:00", "18:00", "00:00"]),
        (7 * DAY_MS, ["Sun 15 Nov", "Tue 17 Nov", "Thu 19 Nov"]),
    ],
)
def test_times_are_round_in_the_readers_zone(span_ms: int, expected: list[str]) -> None:
    times = Times(zone_named("Europe/Berlin"), NOW)
    ticks = [text for _, text in time_ticks(NOW - span_ms, NOW, times)]
    assert ticks == expected or ticks == ["02:00", *expected]


def test_a_day_with_a_change_of_the_clock_keeps_its_round_hours() -> None:
    # On 2026-10-25 Berlin's clocks went from 03:00 CEST back to 02:00 CET.
    end = 1_792_926_000_000 + 3 * HOUR_MS
    times = Times(zone_named("Europe/Berlin"), end)
    ticks = time_ticks(end - DAY_MS, end, times)
    assert all(times.local(at).strftime("%H:%M") == text for at, text in ticks)
    assert all(text.endswith(":00") and int(text[:2]) % 6 == 0 for _, text in ticks)


@given(
    zone=st.sampled_from(
        ["UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]
    ),
    end=st.integers(0, 4_000_000_000_000),
    span=st.integers(60_000, 60 * DAY_MS),
)
def test_there_are_never_more_than_five_and_all_lie_inside(zone: str, end: int, span: int) -> None:
    ticks = time_ticks(end - span, end, Times(zone_named(zone), end))
    assert len(ticks) <= STEPS_MAX + 1
    assert all(end - span <= at <= end for at, _ in ticks)
    assert [at for at, _ in ticks] == sorted({at for at, _ in ticks})
