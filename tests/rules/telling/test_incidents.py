"""Which alerts are one problem, and that whoever was told of it hears of its end, once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.judging.engine import Rule
from rules.model import ChannelView, Host
from tests.rules.house import House, limit, remembered, silence, stored
from tests.rules.orders import no_first_without_a_resolved_between

ROOT, VAR = 'disk_used_pct{mount="/"}', 'disk_used_pct{mount="/var"}'
DISK = limit("disk", "disk_used_pct", above={"warning": 85.0, "critical": 95.0})
LONG = limit("disk-long", "disk_used_pct", above=90.0, severity="critical", for_s=60)
FAMILY = [Host(1, "gw"), Host(2, "db", {"parent": "gw"}), Host(3, "web", {"parent": "db"})]


def test_two_rules_about_one_series_are_one_incident() -> None:
    house = House([DISK, LONG])
    for at_s in range(0, 80, 10):
        house.batch(at_s, {VAR: 92})
    assert len(house.open_alerts) == 2
    (incident,) = house.open_incidents
    assert incident.key == f"host:1/series:{VAR}"
    assert house.told == [("mail", "first", "warning"), ("mail", "escalated", "critical")]


def test_it_is_over_when_all_its_alerts_are() -> None:
    house = House([DISK, limit("other", "disk_used_pct", above=50.0)])
    house.batch(0, {VAR: 92})
    house.batch(10, {VAR: 60})
    assert len(house.open_incidents) == 1
    assert house.open_incidents[0].title == "h1: disk /var 92 % > 50 %"
    house.batch(20, {VAR: 10})
    assert house.open_incidents == []
    assert house.told == [("mail", "first", "warning"), ("mail", "resolved", "warning")]


def test_two_disks_are_two_problems() -> None:
    house = House([DISK])
    house.batch(0, {VAR: 92, ROOT: 93})
    assert len(house.open_incidents) == 2


def test_what_comes_back_within_ten_minutes_is_the_same_problem_again() -> None:
    house = House([DISK])
    house.batch(0, {VAR: 92})
    house.batch(10, {VAR: 10})
    house.batch(600, {VAR: 96})
    (incident,) = house.open_incidents
    assert (incident.id, incident.round, incident.told["mail"].severity) == (1, 2, "critical")
    assert [reason for _, reason, _ in house.told] == ["first", "resolved", "first"]


def test_what_comes_back_later_is_another() -> None:
    house = House([DISK])
    house.batch(0, {VAR: 92})
    house.batch(10, {VAR: 10})
    house.batch(611, {VAR: 92})
    assert [incident.id for incident in house.open_incidents] == [2]


def test_what_is_long_over_is_forgotten() -> None:
    house = House([DISK])
    for turn in range(20):
        house.batch(turn * 1000, {VAR: 92})
        house.batch(turn * 1000 + 10, {VAR: 10})
    assert len(house.watch.incidents) <= 2
    assert len(house.watch.alerts) <= 2
    assert len(house.watch.members) <= 2
    assert len(house.watch.by_key) <= 2


def test_an_alert_on_a_host_whose_parent_is_down_is_held_back() -> None:
    house = House([DISK, silence()], hosts=FAMILY)
    house.batch(0, {"load1": 1}, host=1)
    house.batch(25, {VAR: 10}, host=3)
    house.tick(31)
    house.batch(35, {VAR: 96}, host=3)
    assert [(notice.host, notice.reason) for notice in house.notices] == [("gw", "first")]
    (incident,) = house.open_incidents
    assert incident.key == "host:1"
    assert incident.title == "gw: no word from this host"


def test_what_was_held_back_and_outlives_its_cause_is_told_then() -> None:
    house = House([DISK, silence()], hosts=FAMILY)
    house.batch(0, {"load1": 1}, host=1)
    house.batch(25, {VAR: 10}, host=3)
    house.tick(31)
    for now_s in range(35, 140):
        if now_s % 10 == 5:
            house.batch(now_s, {VAR: 96}, host=3)
            house.batch(now_s, {"load1": 1}, host=1)
        house.tick(now_s)
    assert [(notice.host, notice.reason) for notice in house.notices] == [
        ("gw", "first"),
        ("gw", "resolved"),
        ("web", "first"),
    ]
    (alert,), (incident,) = house.open_alerts, house.open_incidents
    assert alert.incident == incident.id


def test_after_a_restart_the_resolve_still_goes_to_whoever_was_told() -> None:
    house = House([DISK])
    house.batch(0, {VAR: 96})
    again = House([], watch=remembered([DISK], rest=stored(house.watch), started_s=60))
    again.batch(70, {VAR: 96}, seq=1)
    again.batch(80, {VAR: 10}, seq=2)
    assert again.told == [("mail", "resolved", "critical")]
    assert again.notices[0].id == "wk-01234567-1-1-resolved-critical-mail"


def test_an_alert_whose_state_was_lost_is_ended_by_the_next_good_sample() -> None:
    house = House([DISK])
    house.batch(0, {VAR: 96})
    rest = stored(house.watch)
    rest.states = []
    again = House([], watch=remembered([DISK], rest=rest, started_s=60))
    assert again.stands("disk") == "unknown"
    again.batch(70, {VAR: 10}, seq=1)
    assert again.told == [("mail", "resolved", "critical")]


def test_a_state_whose_alert_was_lost_fires_anew() -> None:
    house = House([DISK])
    house.batch(0, {VAR: 96})
    rest = stored(house.watch)
    rest.alerts, rest.incidents = [], []
    again = House([], watch=remembered([DISK], rest=rest, started_s=60))
    again.batch(70, {VAR: 96}, seq=1)
    assert again.told == [("mail", "first", "critical")]


# --- whatever happens -------------------------------------------------------------------------------------------------

RULES: list[Rule] = [DISK, LONG, silence(), silence("late", intervals=2.0, severity="warning")]
CHANNELS = [ChannelView("mail"), ChannelView("pager", "critical"), ChannelView("log", "info")]
events = st.one_of(
    st.tuples(
        st.just("batch"),
        st.integers(1, 3),
        st.sampled_from([0, 0, 0, 25]),
        st.dictionaries(st.sampled_from([ROOT, VAR]), st.sampled_from([10.0, 88.0, 92.0, 96.0, None])),
    ),
    st.tuples(st.just("wait"), st.sampled_from([1, 10, 31, 61, 200, 700, 1000])),
)


@given(st.lists(events, max_size=40))
@settings(max_examples=200, deadline=None)
def test_nobody_is_told_twice_and_whoever_is_told_hears_of_the_end(story: list[tuple[Any, ...]]) -> None:
    house = House(RULES, hosts=FAMILY, channels=CHANNELS, check_purity=False)
    now_s = 0
    for event in story:
        if event[0] == "batch":
            _, host, ago_s, values = event
            house.batch(now_s - ago_s, {"load1": 1.0, **values}, host=host, arrived_s=now_s)
            now_s += 1
        else:
            now_s += event[1]
        house.tick(now_s)
        house.repair(now_s)
    for _ in range(35):  # longer than what comes and goes has to be quiet before its end is told
        now_s += 25
        for host in (1, 2, 3):
            house.batch(now_s, {ROOT: 10, VAR: 10}, host=host)
        house.tick(now_s)
        house.repair(now_s)
    assert (house.open_incidents, house.open_alerts) == ([], [])
    no_first_without_a_resolved_between(house)
    last = {(notice.incident, notice.channel): notice.reason for notice in house.notices}
    assert set(last.values()) <= {"resolved"}
    assert all(memory.track.states == {} and memory.absence == {} for memory in house.watch.hosts.values())
    assert house.watch.down == {}
