"""What the judge remembers: the same before and after a restart, small, and changed by apply only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.judging.engine import Rule
from rules.judging.judge import judge
from rules.memory.watch import MEMBERS_MAX, Watch
from rules.model import Alert, ChannelView, Host, split_subject
from tests.rules.house import T0, House, frozen, limit, remembered, silence, stored

RULES: list[Rule] = [
    limit("cpu", "cpu_used_pct", above={"warning": 80.0, "critical": 95.0}, for_s=20),
    silence(),
]


@given(st.lists(st.sampled_from([10.0, 78.0, 85.0, 96.0, None]), min_size=1, max_size=20), st.integers(0, 19))
@settings(max_examples=100, deadline=None)
def test_a_restart_at_any_moment_changes_nothing_about_what_is_decided(
    values: list[float | None], at: int
) -> None:
    steady = House(RULES, check_purity=False)
    before = House(RULES, check_purity=False)
    restarted = before
    for number, value in enumerate(values):
        if number == at:
            rest = remembered(RULES, rest=stored(before.watch), started_s=number * 10)
            restarted = House([], watch=rest, check_purity=False)
        for house in (steady, restarted):
            house.batch(number * 10, {"cpu_used_pct": value}, seq=number)
    assert [(memory.host, dict(memory.track.states)) for memory in restarted.watch.hosts.values()] == [
        (memory.host, dict(memory.track.states)) for memory in steady.watch.hosts.values()
    ]
    told = before.notices if restarted is before else before.notices + restarted.notices
    assert [notice.id for notice in told] == [notice.id for notice in steady.notices]


def test_judging_alone_changes_nothing() -> None:
    house = House(RULES)
    house.batch(0, {"cpu_used_pct": 99})
    before = frozen(house.watch)
    assert house.outcomes[0].arrival is not None
    judge(house.watch, house.outcomes[0].arrival, T0)
    assert frozen(house.watch) == before


def test_healthy_hosts_share_what_is_known_of_their_rules() -> None:
    house = House(RULES, hosts=[Host(1, "a"), Host(2, "b")])
    for host in (1, 2):
        house.batch(0, {"cpu_used_pct": 10}, host=host)
    one, other = (house.watch.hosts[host].track for host in (1, 2))
    assert one.plan is other.plan
    assert one.low is other.low
    house.batch(10, {"cpu_used_pct": 99}, host=1)
    assert house.watch.hosts[1].track.low is not other.low
    house.batch(20, {"cpu_used_pct": 10}, host=1)
    assert house.watch.hosts[1].track.low is other.low


def test_a_host_enrolled_later_is_judged_like_the_others() -> None:
    house = House(RULES, hosts=[])
    house.watch.add_host(Host(7, "late"))
    house.batch(0, {"cpu_used_pct": 99}, host=7)
    assert house.stands("cpu", 7) == "pending"


def test_an_admin_may_rename_a_host_and_change_its_labels() -> None:
    hosts = [Host(1, "gw"), Host(2, "db", {"parent": "gateway"})]
    house = House([silence()], hosts=hosts)
    for host in (1, 2):
        house.batch(0, {"load1": 1}, host=host)
    house.watch.add_host(replace(house.watch.hosts[1].host, name="gateway"))
    house.tick(31)
    assert [notice.host for notice in house.notices] == ["gateway"]


def test_rules_that_are_switched_off_do_not_apply() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=80.0, enabled=False)])
    house.batch(0, {"cpu_used_pct": 99})
    assert house.stands("cpu") == "ok"


def test_two_rules_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two rules are called 'absent'"):
        Watch("i", [silence(), silence()], [ChannelView("mail")])


def test_an_incident_that_never_ends_does_not_grow_for_ever() -> None:
    hosts = [Host(1, "gw"), Host(2, "db", {"parent": "gw"})]
    house = House([limit("cpu", "cpu_used_pct", above=80.0), silence()], hosts=hosts, check_purity=False)
    house.batch(0, {"load1": 1}, host=1)
    house.tick(40)
    for turn in range(MEMBERS_MAX + 50):
        house.batch(50 + turn * 20, {"cpu_used_pct": 99}, host=2)
        house.batch(60 + turn * 20, {"cpu_used_pct": 10}, host=2)
    (incident,) = house.open_incidents
    assert len(house.watch.members[incident.id]) <= MEMBERS_MAX
    assert len(house.watch.alerts) <= MEMBERS_MAX


def test_an_open_alert_of_an_incident_nobody_knows_is_left_out() -> None:
    alert = Alert(5, "cpu", "host:1/series:cpu_used_pct", 1, "warning", T0, T0, "s", incident=9)
    house = House(RULES)
    rest = stored(house.watch)
    rest.alerts = [alert]
    assert remembered(RULES, rest=rest).alerts == {}


def test_subjects() -> None:
    assert split_subject("host:7") == (7, None)
    assert split_subject('host:7/series:x{a="/series:"}') == (7, 'x{a="/series:"}')
