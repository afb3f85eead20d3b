"""How numbers, times and readings are said."""

from __future__ import annotations

import pytest

from rules import words
from rules.model import Host, Series
from tests.rules.house import T0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (96, "96"), (96.0, "96"), (96.24, "96.2"), (0.5, "0.5"), (1.234, "1.23"), (0.00123, "0.0012"), (-3.5, "-3.5"),
        (1e20, "1e+20"), (float("inf"), "inf"), (float("-inf"), "-inf"),
    ],
)  # fmt: skip
def test_a_number(value: float, said: str) -> None:
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("two\r\nlines,\ta tab", ""),
        ("naïve 日本 👩\u200d🚒\u00a0½", ""),
        ("\x1b[31mred", "U+001B"),
        ("a\u202eb", "U+202E"),
    ],
)
def test_letters_that_no_screen_shows_are_found(text: str, letter: str) -> None:
    assert words.unseen(text) == letter


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("cpu_used_pct", 96.2, "96.2 %"),
        ("disk_free_bytes", 3_435_973_837, "3.2 GiB"),
        ("net_rx_bytes_per_s", 2048, "2 KiB/s"),
        ("net_drops_per_s", 3, "3/s"),
        ("http_total_ms", 1200, "1200 ms"),
        ("age_s", 12, "12 s"),
        ("temperature_c", 71, "71 °C"),
        ("load1", 3.25, "3.25"),
        ("disk_free_bytes", float("inf"), "inf B"),
        ("cpu_used_pct", None, "?"),
    ],
)
def test_a_reading_has_its_unit(metric: str, value: float | None, said: str) -> None:
    assert words.reading(metric, value) == said


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ("cpu_used_pct", "cpu"),
        ('disk_used_pct{mount="/var"}', "disk /var"),
        ('disk_inodes_used_pct{mount="/"}', "disk inodes /"),
        ('net_rx_bytes_per_s{nic="eth0"}', "net rx eth0"),
        ("load1", "load1"),
    ],
)
def test_what_a_series_is_about(series: str, said: str) -> None:
    assert words.what(Series.parse(series)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (45, "45 s"), (119, "119 s"), (120, "2 min"), (38 * 60, "38 min"), (2 * 3600, "2 h"),
        (2 * 3600 + 300, "2 h 5 min"), (2 * 86400, "2 d"), (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"), (-5, "0 s"),
    ],
)  # fmt: skip
def test_a_duration(seconds: int, said: str) -> None:
    assert words.duration(seconds * 1000) == said


def test_a_time_names_its_zone_and_its_day_only_where_that_is_another() -> None:
    assert words.clock(T0 + 14 * 60_000, T0) == "02:14 UTC"
    assert words.clock(T0, T0 + 86_400_000) == "20 Nov 02:00 UTC"
    assert words.moment(T0 + 7_000) == "2026-11-20 02:00:07 UTC"
    assert words.clock(T0 - 2 * 3_600_000, T0, "Europe/Berlin") == "01:00 CET", (
        "it is the day there that counts"
    )
    assert words.clock(T0 - 4 * 3_600_000, T0, "Europe/Berlin") == "19 Nov 23:00 CET"
    assert words.moment(T0, "Asia/Kathmandu") == "2026-11-20 07:45:00 +0545"


@pytest.mark.parametrize(
    ("series", "value", "limit", "detail", "said"),
    [
        ('disk_used_pct{mount="/var"}', 96.0, 95.0, "", "disk /var 96 % > 95 %"),
        ('check_state{check="web",kind="http"}', 2.0, 1.0, "refused", "check web (http) is bad: refused"),
        ('check_state{check="web"}', 1.0, 0.0, "", "check web warns"),
        ("check_state", 7.0, 0.0, "", "check ? is 7"),
        ("load1", None, 4.0, "", "load1 ? > 4"),
    ],
)
def test_a_breach(series: str, value: float | None, limit: float, detail: str, said: str) -> None:
    assert words.breach(Series.parse(series), value, ">", limit, detail) == said


def test_a_summary_is_filled_in() -> None:
    host = Host(1, "db-3", {"role": "db", "mount": "the host's"})
    series = Series.parse('disk_used_pct{mount="/var"}')
    filled = words.fill(
        "{{host}} ({{ role }}): {{mount}} at {{value}} {{nonsense}}", host, {"value": "96"}, series
    )
    assert filled == "db-3 (db): /var at 96 {{nonsense}}"
    assert words.fill("it ends in 5 days: {{detail}}", host, {"detail": ""}, series) == "it ends in 5 days"


@pytest.mark.parametrize(
    ("said", "titled"),
    [
        ("load1 9 > 5", "web: load1 9 > 5"), ("web runs 103 processes", "web runs 103 processes"),
        ("CPU of web at 91 %", "CPU of web at 91 %"), ("web: full", "web: full"),
        ("disk /srv/webs 88 %", "web: disk /srv/webs 88 %"),
        ("check web-2 (http) is bad", "web: check web-2 (http) is bad"),
    ],
)  # fmt: skip
def test_a_host_is_named_once(said: str, titled: str) -> None:
    assert words.named("web", said) == titled


def test_a_service_is_called_by_its_name() -> None:
    assert words.named("service:shop", "error rate 7 % > 5 %") == "shop: error rate 7 % > 5 %"
    assert words.named("service:shop", "the shop fails") == "the shop fails"
