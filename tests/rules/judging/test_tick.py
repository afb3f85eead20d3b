"""What follows from the passing of time alone."""

from __future__ import annotations

import pytest

from rules.judging.judge import replace_rules
from rules.judging.tick import tick
from rules.model import ChannelView, Host
from tests.rules.house import T0, House, limit, remembered, silence, stored

FAMILY = [Host(1, "gw"), Host(2, "db", {"parent": "gw"}), Host(3, "web", {"parent": "db"})]


def family(**more: object) -> House:
    house = House([silence()], hosts=FAMILY, **more)  # type: ignore[arg-type]
    for host in (1, 2, 3):
        house.batch(host, {"load1": 1}, host=host)
    return house


def pass_time(house: House, start_s: int, end_s: int, alive: tuple[int, ...] = ()) -> None:
    """Tick each second; the hosts in `alive` report every ten."""
    for now_s in range(start_s, end_s):
        for host in alive:
            if now_s % 10 == host:
                house.batch(now_s, {"load1": 1}, host=host)
        house.tick(now_s)


def test_a_pending_rule_does_not_fire_by_the_passing_of_time() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0, for_s=30)])
    house.batch(0, {"cpu_used_pct": 99})
    pass_time(house, 1, 120)
    assert house.stands("cpu") == "pending"


def test_nothing_is_due_when_all_is_well() -> None:
    house = family()
    assert house.tick(10).empty


# --- silence ----------------------------------------------------------------------------------------------------------


def test_a_silent_host_is_told_of_once() -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    pass_time(house, 1, 300)
    assert house.told == [("mail", "first", "critical")]
    assert house.notices[0].title == "CRITICAL h1: no word from this host (since 02:00 UTC)"
    assert house.state("absent").since == T0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("bye", "silent_from_s"), [("restart", 340), ("shutdown", None), ("uninstall", None)]
)
def test_a_host_that_said_bye_is_not_missed(bye: str, silent_from_s: int | None) -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    house.bye(10, bye)
    house.tick(silent_from_s or 10_000_000)
    assert house.told == []
    if silent_from_s is not None:
        house.tick(silent_from_s + 1)
        assert house.told == [("mail", "first", "critical")]
        title = "h1: no word from this host, which was to be back in a moment"
        assert title in house.notices[0].title


def test_a_bye_outlives_a_restart_of_the_collector() -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    house.bye(10, "shutdown")
    again = House([], watch=remembered([silence()], rest=stored(house.watch), started_s=3600))
    again.tick(1_000_000)
    assert again.told == []
    again.batch(1_000_001, {"load1": 1}, spool="b" * 32)
    again.tick(1_000_100)
    assert again.stands("absent") == "firing"


def test_what_lies_behind_a_host_that_was_shut_down_is_missed_all_the_same() -> None:
    house = family()
    house.bye(4, "shutdown", host=1)
    house.tick(60)
    assert {alert.host for alert in house.open_alerts} == {2, 3}


def test_nobody_is_blamed_for_time_in_which_the_collector_was_away() -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    again = House([], watch=remembered([silence()], rest=stored(house.watch), started_s=3600))
    again.tick(3601)
    again.tick(3630)
    assert again.stands("absent") == "ok"
    again.tick(3631)
    assert (
        again.notices[0].title
        == "CRITICAL h1: no word from this host, last heard 02:00 UTC (since 03:00 UTC)"
    )


def test_nobody_is_blamed_for_time_in_which_the_collector_slept() -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    house.watch.listen_from(T0 + 3_600_000)
    house.tick(3_620)
    assert house.notices == []


def test_a_host_that_falls_silent_as_our_clock_is_set_back_is_missed_all_the_same() -> None:
    house = House([silence()], watch=remembered([silence()], hosts=[Host(1, "h1")], started_s=3600))
    house.batch(3600, {"load1": 1})
    house.watch.listen_from(T0)
    house.tick(30)
    assert house.notices == []
    house.tick(31)
    assert house.told == [("mail", "first", "critical")]


def test_a_host_is_missed_though_our_clock_was_set_back_while_we_were_away() -> None:
    house = House([silence()])
    house.batch(3600, {"load1": 1})
    again = House([], watch=remembered([silence()], rest=stored(house.watch), started_s=0))
    again.tick(31)
    assert again.told == [("mail", "first", "critical")]


def test_a_host_that_was_silent_before_a_restart_is_not_told_of_again() -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    house.tick(31)
    again = House([], watch=remembered([silence()], rest=stored(house.watch), started_s=100))
    pass_time(again, 100, 200)
    assert again.notices == []
    again.batch(200, {"load1": 1}, seq=7)
    assert again.told == [("mail", "resolved", "critical")]


def test_two_rules_about_silence_make_one_incident() -> None:
    rules = [silence("soon", severity="warning"), silence("long", intervals=10.0)]
    house = House(rules)
    house.batch(0, {"load1": 1})
    pass_time(house, 1, 200)
    assert house.told == [("mail", "first", "warning"), ("mail", "escalated", "critical")]
    house.batch(200, {"load1": 1})
    assert house.told[2:] == [("mail", "resolved", "critical")]


# --- one cause, one message -------------------------------------------------------------------------------------------


def test_a_dead_gateway_is_one_message_that_lists_what_it_took_down() -> None:
    house = family()
    pass_time(house, 4, 120)
    assert house.told == [("mail", "first", "critical")]
    (notice,) = house.notices
    assert notice.title == "CRITICAL gw: no word from this host (since 02:00 UTC)"
    assert "Reached through it, and not told separately while it is down: db." in notice.text
    (incident,) = house.open_incidents
    assert len(house.watch.members[incident.id]) == 3


def test_whoever_fell_silent_first_waits_for_what_it_is_reached_through() -> None:
    house = House([silence()], hosts=FAMILY)
    for at_s, host in ((0, 3), (4, 2), (8, 1)):
        house.batch(at_s, {"load1": 1}, host=host)
    pass_time(house, 9, 60)
    assert [notice.host for notice in house.notices] == ["gw"]


def test_a_silent_host_behind_one_that_is_heard_is_its_own_problem() -> None:
    house = family()
    pass_time(house, 4, 120, alive=(1, 2))
    assert [(notice.host, notice.reason) for notice in house.notices] == [("web", "first")]


def test_when_all_come_back_there_is_one_resolve() -> None:
    house = family()
    pass_time(house, 4, 60)
    pass_time(house, 60, 200, alive=(1, 2, 3))
    assert house.told == [("mail", "first", "critical"), ("mail", "resolved", "critical")]
    assert "Probably because of it, so not told separately:" in house.notices[1].text
    assert "over by now" in house.notices[1].text
    assert house.open_incidents == []


def test_who_stays_away_when_its_cause_is_back_is_told_of_by_itself() -> None:
    house = family()
    pass_time(house, 4, 60)
    pass_time(house, 60, 100, alive=(1, 2))
    assert len(house.notices) == 1, "for a minute it may just be slower"
    pass_time(house, 100, 200, alive=(1, 2))
    assert [(notice.host, notice.reason) for notice in house.notices] == [
        ("gw", "first"), ("gw", "resolved"), ("web", "first"),
    ]  # fmt: skip
    pass_time(house, 200, 220, alive=(1, 2, 3))
    assert house.told[-1] == ("mail", "resolved", "critical")
    assert house.open_incidents == []


def test_hosts_that_are_each_others_parents_hang_nothing() -> None:
    circle = [Host(1, "a", {"parent": "b"}), Host(2, "b", {"parent": "a"}), Host(3, "c", {"parent": "c"})]
    house = House([silence()], hosts=circle)
    for host in (1, 2, 3):
        house.batch(0, {"load1": 1}, host=host)
    pass_time(house, 1, 60)
    assert {notice.host for notice in house.notices} >= {"c"}
    pass_time(house, 60, 200, alive=(1, 2, 3))
    assert house.open_incidents == []


# --- rules that are gone ----------------------------------------------------------------------------------------------


def test_a_removed_rule_ends_what_it_said() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0), silence()])
    house.batch(0, {"cpu_used_pct": 99})
    house.tick(31)
    assert len(house.open_alerts) == 2
    replace_rules(house.watch, [], [ChannelView("mail")])
    house.tick(32)
    assert (house.open_alerts, house.open_incidents) == ([], [])
    assert [step.why for step in house.transitions[-2:]] == ["rule removed", "rule removed"]
    assert house.tick(33).empty


def test_a_rule_that_stays_keeps_its_states_and_its_new_limits_hold_from_the_next_batch() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0)])
    house.batch(0, {"cpu_used_pct": 95})
    replace_rules(house.watch, [limit("cpu", "cpu_used_pct", above=99.0)], [ChannelView("mail")])
    assert house.tick(1).empty
    house.batch(10, {"cpu_used_pct": 90})
    assert house.told == [("mail", "first", "warning"), ("mail", "resolved", "warning")]


def test_a_rule_that_loses_a_severity_does_not_lose_its_alert() -> None:
    house = House([limit("cpu", "cpu_used_pct", above={"warning": 80.0, "critical": 95.0})])
    house.batch(0, {"cpu_used_pct": 99})
    for limits in ({"warning": 80.0}, {"critical": 90.0}, {"info": 50.0}):
        replace_rules(house.watch, [limit("cpu", "cpu_used_pct", above=limits)], [ChannelView("mail")])
        house.batch(10 + len(house.outcomes), {"cpu_used_pct": 98})
        assert house.stands("cpu") == "firing"
    assert len(house.watch.alerts) == 1


def test_a_rule_removed_while_the_collector_was_down_is_cleared_away_after_the_start() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0)])
    house.batch(0, {"cpu_used_pct": 99})
    again = House([], watch=remembered([], rest=stored(house.watch), started_s=100))
    again.tick(101)
    assert again.told == [("mail", "resolved", "warning")]


def test_a_fleet_that_is_heard_leaves_nothing_to_be_done() -> None:
    hosts = [Host(number, f"h{number}", arrived_at=T0, last_at=T0) for number in range(1, 10_001)]
    watch = remembered([silence()], hosts=hosts)
    assert tick(watch, T0 + 10_000).empty


def test_a_service_that_posts_nothing_more_is_not_called_silent() -> None:
    house = House([silence()], hosts=[Host(1, "gw"), Host(2, "service:shop")])
    house.batch(1, {"load1": 1}, host=1)
    house.batch(1, {"orders_count": 1}, host=2)
    pass_time(house, 2, 600)
    assert {state.subject for memory in house.watch.hosts.values() for state in memory.states()} == {"host:1"}
