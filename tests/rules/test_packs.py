"""The rules worth having on day one: silent on a healthy host, loud where they must be.

`data/host-trace.csv.gz` was recorded on a small machine, a row a second: idle, compiling, then under load.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import pytest

from collector.__main__ import VERSION
from collector.config import read_rules
from rules import packs
from rules.judging.engine import Rule
from rules.kinds import version
from rules.model import ChannelView, CheckAnswer, Host
from tests.rules.house import T0, House

PACKS = Path(packs.__path__[0])
TRACE = Path(__file__).parent.parent / "data" / "host-trace.csv.gz"
NAMES = ("agents", "certificates", "collector", "critical", "hosts", "promises", "scaling", "services")


def load(*names: str) -> list[Rule]:
    return [rule for name in names for rule in read_rules(PACKS / f"{name}.yaml")]


def test_every_pack_is_known_to_these_tests() -> None:
    assert tuple(sorted(path.stem for path in PACKS.glob("*.yaml"))) == NAMES


def test_no_two_rules_of_the_packs_have_the_same_name() -> None:
    names = [rule.name for rule in load(*NAMES)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("every_ms", "sentence"), [(1_000, "as it was recorded"), (10_000, "played ten times slower")]
)
def test_a_recorded_host_wakes_nobody(every_ms: int, sentence: str) -> None:
    with gzip.open(TRACE, "rt", newline="") as file:
        series, *rows = csv.reader(file, delimiter=";")
    house = House(load(*NAMES), check_purity=False)
    for place, row in enumerate(rows):
        values: dict[str, float | None] = dict(zip(series, map(float, row), strict=True))
        at_s = place * every_ms / 1000
        house.batch(at_s, {**values, 'check_state{check="cpu",kind="cpu"}': 0}, every_ms=every_ms)
        house.tick(at_s)
        if place % 60 == 0:
            house.look(at_s)
    assert len(rows) > 2_500
    assert house.notices == [], sentence


def hold(values: dict[str, float | None], minutes: int) -> House:
    house = House(load("hosts", "services", "certificates", "agents", "critical"), check_purity=False)
    for minute in range(minutes * 2 + 1):
        house.batch(minute * 30, {"load1": 1, **values}, every_ms=30_000)
    return house


CHECK = 'check_state{check="web",kind="http"}'
DISK = 'disk_used_pct{mount="/"}'


@pytest.mark.parametrize(
    ("values", "minutes", "told"),
    [
        ({"cpu_used_pct": 85}, 10, []),
        ({"cpu_used_pct": 85}, 15, ["warning"]),
        ({"cpu_used_pct": 97}, 15, ["critical"]),
        ({'response_time_ms{path="/",quantile="0.95"}': 1_200}, 5, ["warning"]),
        ({'response_time_ms{path="/",quantile="0.99"}': 9_000}, 60, []),
        ({"cpu_used_pct": 91}, 60, ["warning", "critical"]),
        ({"memory_used_pct": 85}, 10, ["warning"]),
        ({"memory_used_pct": 91}, 30, ["warning", "critical"]),
        ({DISK: 86}, 120, ["warning"]),
        ({DISK: 91}, 60, ["warning", "critical"]),
        ({DISK: 96}, 5, ["critical"]),
        ({CHECK: 2}, 4, []),
        ({CHECK: 2}, 5, ["critical"]),
        ({CHECK: 1}, 5, ["warning"]),
        ({CHECK: None}, 29, []),
        ({CHECK: None}, 30, ["warning"]),
        ({'http_total_ms{check="web"}': 1_500}, 5, ["warning"]),
        ({'http_total_ms{check="web"}': 5_500}, 5, ["critical"]),
        ({'tls_left_days{check="web"}': 31}, 3000, []),
        ({'tls_left_days{check="web"}': 29}, 2879, []),
        ({'tls_left_days{check="web"}': 29}, 2880, ["warning"]),
        ({'tls_left_pct{check="web"}': 9}, 60, []),
        ({'log_matches_10m{check="app",pattern="errors"}': 2}, 1, ["warning"]),
        ({"oom_kills_10m": 1}, 1, ["warning"]),
        ({"files_used_pct": 85}, 5, ["warning"]),
        ({"threads_used_pct": 96}, 5, ["critical"]),
        ({"conntrack_used_pct": 96}, 4, []),
        ({"conntrack_used_pct": 96}, 5, ["critical"]),
        ({'disk_readonly{mount="/"}': 1}, 5, ["warning"]),
        ({'container_restarts{container="web"}': 2}, 60, []),
        ({'container_restarts{container="web"}': 3}, 1, ["warning"]),
        ({"clock_offset_ms": 2_500}, 15, ["warning"]),
        ({"clock_offset_ms": -2_500}, 15, ["warning"]),
        ({"clock_synced": 0}, 120, []),
        ({"agent_dropped_batches": 9}, 120, []),
        ({'tls_left_days{check="web"}': 6}, 5, ["critical"]),
    ],
)
def test_the_limits_and_times_of_the_packs(values: dict[str, Any], minutes: int, told: list[str]) -> None:
    assert [severity for _, _, severity in hold(values, minutes).told] == told


def test_a_certificate_is_told_of_with_its_name_and_its_day() -> None:
    house = House(load("certificates"), check_purity=False)
    answer = CheckAnswer("web", "tls", "ok", T0, detail="of shop.example.org, valid until 2026-11-25")
    for minute in range(7):
        house.batch(minute * 60, {'tls_left_days{check="web"}': 5}, every_ms=60_000, checks=[answer])
    assert house.notices[0].title == (
        "CRITICAL h1: the certificate of check web ends in 5 days: of shop.example.org, valid until 2026-11-25 "
        "(since 02:00 UTC)"
    )


def test_a_host_is_missed_after_three_intervals() -> None:
    house = hold({}, 1)
    house.tick(60 + 90)
    assert house.told == []
    house.tick(60 + 91)
    assert house.told == [("mail", "first", "critical")]


def test_a_disk_that_runs_full_is_told_of_a_day_before() -> None:
    house = House(load("hosts"), check_purity=False)
    level = 62.0
    for minute in range(12 * 60):
        level += 0.5 / 60 if minute < 8 * 60 else 2 / 60
        house.batch(minute * 60, {DISK: level}, every_ms=60_000)
        house.look(minute * 60)
    assert house.told == [("mail", "first", "warning")]
    assert house.notices[0].title.startswith("WARNING h1: disk / will be at 100 % in about 1")


def test_an_agent_is_old_when_it_is_older_than_the_collector() -> None:
    (old,) = [rule for rule in load("agents") if isinstance(rule, version.Rule)]
    assert old.options.at_least == ".".join(VERSION.split(".")[:2])


@pytest.mark.parametrize(
    ("series", "minutes", "told"),
    [
        ("instances_to_add", 3, "shop should have more instances: 2 more than it has"),
        ("instances_to_add", 2, ""),
        ("instances_to_remove", 15, "shop would do with fewer instances: 2 fewer than it has"),
    ],
)
def test_advice_on_scaling_is_information_for_who_wants_it(series: str, minutes: int, told: str) -> None:
    house = House(
        load("scaling"),
        hosts=[Host(7, "service:shop", {"service": "shop"})],
        channels=[ChannelView("all", "info"), ChannelView("night", "warning")],
    )
    for tick in range(minutes * 6 + 1):
        house.batch(tick * 10, {series: 2.0}, host=7)
    assert {notice.channel for notice in house.notices} == ({"all"} if told else set())
    assert all(told in notice.title for notice in house.notices)
