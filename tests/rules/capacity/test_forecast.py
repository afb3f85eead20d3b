"""When something is said to be full soon, when it is said not to be, and when it is better to be silent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.capacity.forecast import HORIZON_DAYS, Forecast, Outlook, Past, forecast, forecast_with_newest
from rules.capacity.slope import Numbers
from tests.rules.capacity import disks, table
from tests.rules.capacity.disks import DAY_MS, HOUR_MS, LIMIT, NOW

T = np.arange(-30 * 24, 1) / 24
AT = NOW + (T * 24).round().astype(np.int64) * HOUR_MS
RNG = np.random.default_rng(5)

TABLE: list[tuple[Numbers, Outlook, float | None, str]] = [
    (85 + T, "fills", 10, "1 % a day, and 10 % left"),
    (85 + T + RNG.normal(0, 1, len(T)), "fills", 8.3, "... in noise, whose highest points meet it first"),
    (90 + 8 * ((T - 0.4) % 1), "fills", 0.4, "a sawtooth whose tops are at the limit, at its next top"),
    (60 + 0 * T, "steady", None, "what stands still is never full"),
    (60 - 0.5 * T, "steady", None, "nor is what is emptied"),
    (60 + 0.01 * T, "steady", None, "nor, in half a year, what hardly grows"),
    (60 + 30 * (T % 1), "steady", None, "a sawtooth with level tops is never full, however fast it rises"),
    (60 + 30 * (T % 1) + 0.5 * T, "fills", 12.5, "one whose tops rise is full when they meet the limit"),
    (np.where(T < -12, 30, 80) + 0 * T, "steady", None, "one step is no slope"),
    (np.where(T < -12, 30, 80) + T, "fills", 15, "after a step what came before says nothing"),
    (np.where(T < -0.3, 30, 80) + 0 * T, "unknown", None, "shortly after a step nobody knows"),
    (np.where(T < -12, 2, 1) * (70 + T / 2), "fills", 50, "nor does it after the disk was made larger"),
    (70 + 5 * ((T + 30) // 7), "fills", 5, "stair by stair"),
    (np.where(T < -2, 50, 50 + 12 * (T + 2)), "fills", 1.75, "what runs away since two days"),
    (60 + 10 * np.sin(2 * np.pi * T / 9.3), "steady", None, "what ebbs and flows has been there before"),
    (96 + 0 * T, "fills", 0, "full is full"),
]


@pytest.mark.parametrize(("values", "outlook", "days", "sentence"), TABLE, ids=[row[3] for row in TABLE])
def test_a_forecast(values: Numbers, outlook: Outlook, days: float | None, sentence: str) -> None:
    found = forecast(AT, values.astype(np.float64), LIMIT, NOW)
    assert found.outlook == outlook, f"{sentence}: {found.reason}"
    assert found.days == (None if days is None else pytest.approx(days, rel=0.1)), sentence
    assert found.reason


@pytest.mark.parametrize(
    ("left_days", "said"), [(0.5 / 24, "30 min"), (0.25, "6 h"), (1.5, "36 h"), (10, "10 days")]
)
def test_how_soon_is_said_no_finer_than_it_can_be_known(left_days: float, said: str) -> None:
    found = forecast(AT, LIMIT - left_days + T, LIMIT, NOW)
    assert f"in about {said}" in found.reason


def test_the_best_guess_lies_in_its_range() -> None:
    found = forecast(AT, 75 + 0.3 * T + RNG.normal(0, 2, len(T)), LIMIT, NOW)
    assert found.outlook == "fills"
    assert found.soonest_days is not None
    assert found.days is not None
    assert found.latest_days is not None
    assert found.soonest_days < found.days < found.latest_days
    assert found.per_day == pytest.approx(0.3, rel=0.1)
    assert found.level == pytest.approx(75, abs=1)


def test_by_day_it_is_full_at_the_peak_and_not_at_the_mean() -> None:
    values = 75 + 10 * np.sin(2 * np.pi * T) + 0.5 * T
    found = forecast(AT, values, LIMIT, NOW)
    assert (found.outlook, found.season) == ("fills", "daily")
    assert found.days == pytest.approx(20, abs=2)


def test_what_falls_to_a_limit_is_the_same_upside_down() -> None:
    rising = forecast(AT, 85 + T, LIMIT, NOW)
    falling = forecast(AT, 15 - T, 5.0, NOW, below=True)
    assert falling.days == pytest.approx(rising.days)
    assert falling.level == pytest.approx(15)
    assert falling.per_day == pytest.approx(-1)


def test_it_looks_no_further_ahead_than_a_few_times_what_it_has_seen() -> None:
    recent = AT >= NOW - 2 * DAY_MS
    found = forecast(AT[recent], (60 + T)[recent], LIMIT, NOW)
    assert found.outlook == "steady"
    assert found.horizon_days == pytest.approx(10)
    assert (found.within(5), found.within(30)) == (False, None)
    assert forecast(AT, 60 + 0.001 * T, LIMIT, NOW).horizon_days <= HORIZON_DAYS


@pytest.mark.parametrize("points", [0, 1, 11])
def test_of_too_little_it_says_nothing(points: int) -> None:
    found = forecast(AT[:points], (60 + T)[:points], LIMIT, NOW)
    assert (found.outlook, found.days, found.within(7)) == ("unknown", None, None)
    assert "too little" in found.reason


def test_holes_and_samples_without_an_answer_change_little() -> None:
    values = 85 + T
    values[100:160] = math.nan
    keep = np.ones(len(T), bool)
    keep[300:400] = False
    assert forecast(AT[keep], values[keep], LIMIT, NOW).days == pytest.approx(10, rel=0.02)


def test_what_is_yet_to_come_counts_for_nothing() -> None:
    whole = np.concatenate([85 + T, np.full(50, 1e6)])
    at = np.concatenate([AT, NOW + HOUR_MS * np.arange(1, 51, dtype=np.int64)])
    assert forecast(at, whole, LIMIT, NOW) == forecast(AT, 85 + T, LIMIT, NOW)


@pytest.mark.parametrize("name", sorted(disks.KINDS.keys() - {"wandering"}))
def test_it_cries_wolf_no_more_than_a_plain_fit_and_sleeps_no_more(name: str) -> None:
    mine, theirs = (table.score(disks.KINDS[name], guess, 40) for guess in (table.ours, table.linear_fit))
    assert mine.false_pct <= max(theirs.false_pct, 3)
    assert mine.missed_pct <= max(theirs.missed_pct, 5)
    assert mine.silent_pct <= 10


def test_of_what_wanders_without_a_plan_it_does_not_cry_wolf() -> None:
    assert table.score(disks.KINDS["wandering"], table.ours, 60).false_pct <= 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 94) | st.just(math.nan), max_size=80),
    st.integers(1_000, DAY_MS),
    st.floats(50, 200),
)
def test_whatever_it_is_given_it_says_something_sound(values: list[float], apart: int, limit: float) -> None:
    at = NOW - apart * np.arange(len(values), dtype=np.int64)[::-1]
    found = forecast(at, np.array(values, np.float64), limit, NOW)
    assert found.reason
    assert (found.days is not None) == (found.outlook == "fills")
    if found.days is not None and found.soonest_days is not None:
        assert 0 <= found.soonest_days <= found.days <= HORIZON_DAYS
        assert found.latest_days is None or found.latest_days >= found.days


def test_it_takes_milliseconds() -> None:
    rng = np.random.default_rng(7)
    at, values = NOW - HOUR_MS * np.arange(720)[::-1], 50 + rng.normal(0, 1, 720)
    began = time.process_time()
    for _ in range(5):
        forecast(at, values, LIMIT, NOW)
    assert (time.process_time() - began) / 5 < 0.2


# --- the newest hours beside a long past ------------------------------------------------------------------------------

NEAR = np.arange(-12 * 30, 1) / 720
NEAR_AT = NOW + (NEAR * DAY_MS).round().astype(np.int64)


def both(make: Callable[[Numbers], Numbers]) -> Forecast:
    seldom = T[::2], AT[::2]
    return forecast_with_newest(Past((seldom[1], make(seldom[0])), (NEAR_AT, make(NEAR))), LIMIT, NOW)


@pytest.mark.parametrize(
    ("make", "outlook", "hours", "sentence"),
    [
        (lambda t: 40 + np.maximum(t + 0.2, 0) * 120, "fills", 6.2, "what runs away since five hours"),
        (lambda t: 50 + 40 * ((t + 0.4) % 1), "steady", None, "the tooth of a saw, seen from near"),
        (lambda t: 85 + t, "fills", 240, "what was seen from far already"),
        (lambda t: 60 + 0 * t, "steady", None, "what stands still"),
    ],
)
def test_the_newest_hours_are_looked_at_from_near(
    make: Callable[[Numbers], Numbers], outlook: Outlook, hours: float | None, sentence: str
) -> None:
    found = both(make)
    assert found.outlook == outlook, f"{sentence}: {found.reason}"
    assert (found.days is None) == (hours is None), sentence
    if found.days is not None and hours is not None:
        assert found.days * 24 == pytest.approx(hours, rel=0.15), sentence
