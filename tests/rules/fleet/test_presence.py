"""Many hosts silent at once are one problem; what is left of it afterwards is a matter of each host."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.model import REOPEN_MS, ChannelView, Host
from rules.policy import Policy, Silence
from tests.rules.house import EVERY_MS, T0, House, limit, remembered, silence, stored

INFO = (ChannelView("mail", "info"),)


def fleet(*hosts: Host, rules: list[object] | None = None) -> House:
    """All of them report at their own second of each ten."""
    house = House(rules or [silence()], hosts=hosts, channels=INFO, check_purity=False)  # type: ignore[arg-type]
    for host in hosts:
        house.batch(host.id % 10, {"load1": 1}, host=host.id)
    return house


def at(*sites: str, first: int = 1) -> list[Host]:
    """A host for each, called h1, h2 ...; a site that is empty is none."""
    return [Host(n, f"h{n}", {"site": site} if site else {}) for n, site in enumerate(sites, start=first)]


def live(house: House, start_s: int, end_s: int, *dead: int) -> None:
    """Tick each second; all but the dead report every ten, at a second of their own."""
    for now_s in range(start_s, end_s):
        for host in house.watch.hosts:
            if host not in dead and now_s % 10 == host % 10:
                house.batch(now_s, {"load1": 1}, host=host)
        house.tick(now_s)


def titles(house: House) -> list[str]:
    return [notice.title for notice in house.notices]


@pytest.mark.parametrize(
    ("hosts", "dead", "told"),
    [
        pytest.param(at(*[""] * 8), 4, ["4 of 8 hosts silent at once"], id="half of the fleet is one problem"),
        pytest.param(at(*[""] * 8), 8, ["8 of 8 hosts silent at once"], id="and so is all of it"),
        pytest.param(at(*[""] * 8), 3, ["h1: no word", "h2: no word", "h3: no word"], id="less than half is not"),
        pytest.param(at(*[""] * 4), 2, ["h1: no word", "h2: no word"], id="two hosts are two problems, though half"),
        pytest.param(at(*[""] * 3), 3, ["3 of 3 hosts silent at once"], id="three are enough"),
        pytest.param(
            at("berlin", "berlin", "berlin", *["paris"] * 9),
            3,
            ["3 of 3 hosts of site berlin silent at once: it is cut off or down"],
            id="a site is known by its label, however small a part of the fleet",
        ),
        pytest.param(
            at(*["berlin"] * 6, *["paris"] * 4),
            6,
            ["6 of 6 hosts of site berlin silent at once"],
            id="a large site is the site, though it is half of the fleet too",
        ),
        pytest.param(
            at(*["berlin"] * 4, *["paris"] * 4),
            8,
            ["8 of 8 hosts silent at once: the collector is cut off or the site is down"],
            id="more than one site at once is nearer to home",
        ),
        pytest.param(
            at(*["berlin"] * 4, *["paris"] * 4),
            6,
            ["6 of 8 hosts silent at once: the collector is cut off or the site is down"],
            id="so are one site and half of what is elsewhere",
        ),
        pytest.param(
            at("berlin", "berlin", *["paris"] * 9), 2, ["h1: no word", "h2: no word"], id="a site of two is too small"
        ),
    ],
)  # fmt: skip
def test_what_is_told_when_hosts_fall_silent_at_once(hosts: list[Host], dead: int, told: list[str]) -> None:
    house = fleet(*hosts)
    live(house, 10, 40)
    live(house, 40, 200, *range(1, dead + 1))
    assert len(house.notices) == len(told), titles(house)
    for title, wanted in zip(titles(house), told, strict=True):
        assert wanted in title


def test_the_hosts_are_listed_in_the_message_about_all_of_them() -> None:
    house = fleet(*at(*[""] * 6))
    live(house, 10, 40)
    live(house, 40, 100, 1, 2, 3, 4)
    [notice] = house.notices
    assert notice.severity == "critical"
    assert [f"h{n}: no word from this host" in notice.text for n in range(1, 7)] == [True] * 4 + [False] * 2
    assert len({alert.incident for alert in house.open_alerts}) == 1


def test_it_is_told_two_intervals_later_than_a_single_host_at_most() -> None:
    slow = Host(9, "slow")  # reports once a minute: long after the others are silent it is not
    house = fleet(*at(*[""] * 4), slow)
    house.batch(9, {"load1": 1}, host=9, every_ms=60_000)
    live(house, 10, 40, 9)
    live(house, 40, 200, 1, 2, 3, 4, 9)
    first_silent_at = T0 + 31_000 + 3 * EVERY_MS
    assert house.notices[0].created_at - first_silent_at <= 2 * EVERY_MS + 2_000


def test_when_all_are_back_one_message_says_so() -> None:
    house = fleet(*at(*[""] * 6))
    live(house, 10, 40)
    live(house, 40, 300, 1, 2, 3, 4)
    live(house, 300, 500)
    assert [notice.reason for notice in house.notices] == ["first", "resolved"]
    assert not house.open_incidents


def test_who_does_not_come_back_with_the_others_has_a_message_of_its_own() -> None:
    house = fleet(*at(*[""] * 8))
    live(house, 10, 40)
    live(house, 40, 300, 1, 2, 3, 4, 5)
    live(house, 300, 330, 5)
    assert len(house.notices) == 1, "they come one after the other: a while is left for the last"
    live(house, 330, 500, 5)
    assert sorted(notice.reason for notice in house.notices) == ["first", "first", "resolved"]
    assert [incident.key for incident in house.open_incidents] == ["host:5"]
    live(house, 500, 600)
    assert not house.open_incidents


def test_while_most_are_still_gone_nobody_is_told_of_each() -> None:
    house = fleet(*at(*[""] * 12))
    live(house, 10, 40)
    live(house, 40, 300, *range(1, 9))
    live(house, 300, 600, *range(1, 6))  # three of eight are back
    assert [notice.reason for notice in house.notices] == ["first"]


def test_who_falls_silent_while_it_lasts_is_a_part_of_it() -> None:
    house = fleet(*at(*[""] * 8))
    live(house, 10, 40)
    live(house, 40, 200, 1, 2, 3, 4)
    live(house, 200, 400, 1, 2, 3, 4, 5)
    assert len(house.notices) == 1
    assert len(house.open_alerts) == 6


def test_one_that_was_silent_long_before_has_its_own_problem_and_counts_no_more() -> None:
    house = fleet(*at(*[""] * 6))
    live(house, 10, 200, 1)
    live(house, 200, 400, 1, 2, 3)  # two of five: not half
    assert len(house.open_incidents) == 3


def test_hosts_behind_a_host_that_is_silent_are_its_affair() -> None:
    house = fleet(Host(1, "gw"), *[Host(n, f"h{n}", {"parent": "gw"}) for n in range(2, 8)])
    live(house, 10, 40)
    live(house, 40, 200, *range(1, 8))
    assert [incident.key for incident in house.open_incidents] == ["host:1"]
    assert len(house.notices) == 1


def test_a_host_is_held_back_by_each_that_it_depends_on() -> None:
    hosts = [Host(1, "db"), Host(2, "mq"), Host(3, "shop", {"depends_on": "db, mq"})]
    house = fleet(*hosts, rules=[silence(), limit("cpu", "cpu_used_pct", above=90.0)])
    live(house, 10, 40)
    live(house, 40, 100, 2)
    assert len(house.notices) == 1
    house.batch(101, {"cpu_used_pct": 99}, host=3)
    assert len(house.notices) == 1
    assert {alert.incident for alert in house.open_alerts} == {house.open_incidents[0].id}
    assert "shop" in "".join(house.notices[0].text.split("Reached through it")[1:])


def test_planned_stops_are_no_sign_of_anything() -> None:
    house = fleet(*at(*[""] * 6))
    live(house, 10, 40)
    for host in (1, 2, 3):
        house.bye(40, "shutdown", host=host)
    live(house, 41, 400, 1, 2, 3)
    assert house.notices == []


def test_rules_that_only_observe_make_no_problem_of_many_either() -> None:
    house = fleet(*at(*[""] * 6), rules=[silence(observe=True)])
    live(house, 10, 40)
    live(house, 40, 200, 1, 2, 3, 4)
    assert house.notices == []
    assert house.watch.together == {}


def test_hosts_that_are_worked_on_are_no_part_of_it() -> None:
    house = fleet(*at("berlin", "berlin", "berlin", "berlin", "", "", ""))
    work = Silence(start=T0, end=T0 + 3_600_000, by="ada", where={"site": "berlin"})
    house.watch.replace_policy(Policy(silences=[work]))
    live(house, 10, 40)
    live(house, 40, 200, 1, 2, 3, 4, 5)
    assert [incident.key for incident in house.open_incidents] == [f"host:{n}" for n in range(1, 6)]
    assert titles(house) == ["CRITICAL h5: no word from this host (since 02:00 UTC)"]


def test_a_blip_shorter_than_three_intervals_says_nothing() -> None:
    house = fleet(*at(*[""] * 6))
    live(house, 10, 40)
    live(house, 40, 60, *range(1, 7))
    live(house, 60, 200)
    assert house.notices == []


def test_a_start_in_between_changes_nothing() -> None:
    house = fleet(*at(*[""] * 6))
    live(house, 10, 40)
    live(house, 40, 200, 1, 2, 3, 4)
    house.watch = remembered([silence()], channels=INFO, rest=stored(house.watch), started_s=200)
    live(house, 200, 400, 1, 2, 3, 4)
    assert [notice.reason for notice in house.notices] == ["first"]
    live(house, 400, 600)
    assert [notice.reason for notice in house.notices] == ["first", "resolved"]
    assert house.watch.together == {}


OUTAGES = st.lists(st.tuples(st.sets(st.integers(1, 8)), st.integers(1, 12)), max_size=6)


@settings(deadline=None, max_examples=40)
@given(OUTAGES)
def test_whoever_goes_and_comes_back_whenever_all_that_was_told_is_over_in_the_end(
    outages: list[tuple[set[int], int]],
) -> None:
    """Outages are the hosts that are away, and for how many tens of seconds."""
    house = fleet(*at("berlin", "berlin", "berlin", "berlin", "paris", "paris", "", ""))
    now_s = 10
    for away, tens in outages:
        live(house, now_s, now_s + 10 * tens, *away)
        now_s += 10 * tens
        silent = {alert.host for alert in house.open_alerts} - {0}
        assert silent <= set(house.watch.hosts)
        for group in house.watch.together.values():
            assert house.watch.alerts[group.alert].resolved_at is None  # type: ignore[index]
    live(
        house, now_s, now_s + 200 + REOPEN_MS // 1000
    )  # the end of what comes and goes is told once it is quiet
    assert not house.open_alerts
    assert not house.open_incidents
    assert house.watch.together == {}
    told = [notice.incident for notice in house.notices if notice.reason == "first"]
    over = [notice.incident for notice in house.notices if notice.reason == "resolved"]
    assert sorted(told) == sorted(over)
