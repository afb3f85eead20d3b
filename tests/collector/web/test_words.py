"""What people read where machines count."""

from __future__ import annotations

import math
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.words import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Times,
    iso,
    say_ago,
    say_count,
    say_duration,
    say_number,
    say_share,
    say_value,
    unit_of,
    zone_named,
)

NOW = 1_795_140_000_000  # Friday, 2026-11-20 02:00:00 UTC


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("%", 96.4, "96.4 %"),
        ("%", 100.0, "100 %"),
        ("%", 0.0, "0 %"),
        ("B", 812 * 2**20, "812 MiB"),
        ("B", 1023.0, "1 023 B"),
        ("B", 1024.0, "1 KiB"),
        ("B/s", 1_400_000.0, "1.4 MB/s"),
        ("ms", 0.25, "0.25 ms"),
        ("ms", 1409.0, "1.41 s"),
        ("ms", 90_000.0, "1.5 min"),
        ("s", 0.012, "12 ms"),
        ("s", 86_400.0, "1 d"),
        ("", 123_456.0, "123 456"),
        ("", -0.05, "-0.05"),
        ("", 1e18, "1e+18"),
        ("°C", 41.25, "41.2 °C"),
    ],
)
def test_a_value_is_said_in_a_unit_that_suits_its_size(unit: str, value: float, said: str) -> None:
    assert plain(say_value(unit, value)) == said


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_a_dash(value: float | None) -> None:
    assert say_value("%", value) == say_share(value) == "–"


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("disk_used_pct", "%"),
        ("memory_used_bytes", "B"),
        ("net_rx_bytes_per_s", "B/s"),
        ("net_errors_per_s", "/s"),
        ("http_total_ms", "ms"),
        ("temperature_c", "°C"),
        ("load1", ""),
    ],
)
def test_a_metrics_unit_is_the_end_of_its_name(metric: str, unit: str) -> None:
    assert unit_of(metric) == unit


@pytest.mark.parametrize(
    ("value", "said"),
    [(99.97, "99 %"), (0.2, "1 %"), (0.0, "0 %"), (100.0, "100 %"), (47.5, "48 %"), (130.0, "130 %")],
)
def test_a_share_is_full_or_none_only_when_it_is(value: float, said: str) -> None:
    assert plain(say_share(value)) == said


@given(st.floats(min_value=-1e300, max_value=1e300))
def test_any_number_can_be_said_shortly(value: float) -> None:
    assert 1 <= len(say_number(value)) <= 20


@pytest.mark.parametrize(
    ("ms", "said"),
    [(999, "now"), (3_000, "3 s ago"), (38 * MINUTE_MS, "38 min ago"), (125 * MINUTE_MS, "2 h 5 min ago")],
)
def test_ages_are_said_as_people_say_them(ms: int, said: str) -> None:
    assert plain(say_ago(ms)) == said


def test_a_time_to_come_is_no_age_below_zero() -> None:
    assert plain(say_duration(-5_000)) == "0 s"


def test_one_is_not_many() -> None:
    assert [plain(say_count(n, "host")) for n in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
    assert plain(say_count(2, "try", "tries")) == "2 tries"


@pytest.mark.parametrize(
    ("ago_ms", "said"),
    [
        (0, "03:00"),
        (2 * HOUR_MS, "01:00"),
        (4 * HOUR_MS, "Thu 23:00"),
        (5 * DAY_MS, "Sun 03:00"),
        (8 * DAY_MS, "12 Nov 03:00"),
        (400 * DAY_MS, "16 Oct 2025"),
        (-DAY_MS, "21 Nov 03:00"),
    ],
)
def test_a_time_brings_its_day_when_that_is_not_today(ago_ms: int, said: str) -> None:
    times = Times(zone_named("Europe/Berlin"), NOW)
    assert plain(times.clock(NOW - ago_ms)) == said


def test_the_full_time_names_its_zone() -> None:
    assert Times(zone_named("Europe/Berlin"), NOW).full(NOW) == "2026-11-20 03:00:00 CET"
    assert Times(UTC, NOW).full(NOW) == "2026-11-20 02:00:00 UTC"
    assert iso(NOW + 7) == "2026-11-20T02:00:00.007Z"


@pytest.mark.parametrize(
    "name", ["", "UTC", "Nowhere/City", "../../etc/passwd", "/etc/passwd", "Europe", "a" * 100, "\0"]
)
def test_a_zone_that_is_none_is_utc(name: str) -> None:
    assert zone_named(name) is UTC


@pytest.mark.parametrize("ms", [-1, 0, 2**53, 2**62])
def test_an_impossible_time_is_said_all_the_same(ms: int) -> None:
    times = Times(zone_named("Pacific/Kiritimati"), NOW)
    assert times.clock(ms)
    assert times.full(ms)
    assert iso(ms).endswith("Z")
