"""What one batch does: taken once, its host's record brought up to date, its checks and rules answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.judging.judge import judge
from rules.memory.host import SPOOLS_MAX
from rules.memory.seen import GAPS_MAX, TooManyGaps
from rules.model import Arrival, CheckAnswer, Host
from tests.rules.house import EVERY_MS, T0, House, limit, silence

CPU = limit("cpu", "cpu_used_pct", above=90.0)
STATES = st.sampled_from(["ok", "warn", "bad", "unknown"])


def arrival(**given: Any) -> Arrival:
    made = {
        "host": 1, "spool": "a" * 32, "seq": 0, "floor": 0, "at": T0, "arrived_at": T0, "every_ms": EVERY_MS,
        "skew_ms": 0, "layout": ("cpu_used_pct",), "values": np.array([10.0]), **given,
    }  # fmt: skip
    return Arrival(**made)


def check(state: str = "ok", detail: str = "", name: str = "web", at: int = T0) -> CheckAnswer:
    return CheckAnswer(name, "http", state, at, 12.0, detail)  # type: ignore[arg-type]


# --- taken once -------------------------------------------------------------------------------------------------------


def test_a_batch_sent_again_changes_nothing() -> None:
    house = House([CPU])
    house.arrive(arrival(values=np.array([99.0])))
    again = house.arrive(arrival(values=np.array([99.0])))
    assert again.repeat
    assert again.empty
    assert again.arrival is None


def test_the_same_number_of_another_spool_is_another_batch() -> None:
    house = House([CPU])
    house.arrive(arrival())
    assert not house.arrive(arrival(spool="b" * 32, at=T0 + 1)).repeat


def test_the_floor_closes_the_gaps_below_it() -> None:
    house = House([CPU])
    outcome = house.arrive(arrival(seq=100, floor=100))
    assert outcome.seen is not None
    assert (outcome.seen.below, outcome.seen.ranges) == (101, [])


def test_a_batch_that_would_open_too_many_gaps_is_put_off() -> None:
    house = House([CPU], check_purity=False)
    for place in range(GAPS_MAX):
        house.arrive(arrival(seq=2 + place * 2, at=T0 + place))
    with pytest.raises(TooManyGaps):
        judge(house.watch, arrival(seq=10**6), T0)


def test_of_endless_spools_the_one_heard_of_longest_ago_is_forgotten() -> None:
    house = House([CPU], check_purity=False)
    for number in range(SPOOLS_MAX):
        house.arrive(arrival(spool=f"{number:032x}", at=T0 + number))
    house.arrive(arrival(spool=f"{0:032x}", seq=1, at=T0 + SPOOLS_MAX))
    house.arrive(arrival(spool="f" * 32, at=T0 + SPOOLS_MAX + 1))
    seen = house.watch.hosts[1].seen
    assert len(seen) == SPOOLS_MAX
    assert [f"{number:032x}" in seen for number in (0, 1, 2)] == [True, False, True]


# --- the host ---------------------------------------------------------------------------------------------------------


def test_the_hosts_record_follows_its_newest_batch() -> None:
    house = House([CPU])
    told = arrival(every_ms=5_000, skew_ms=42, flags=("clock",), arrived_at=T0 + 7, facts={"os": "Debian"})
    host = house.arrive(told).host
    assert host is not None
    assert (host.arrived_at, host.last_at, host.every_ms, host.skew_ms) == (T0 + 7, T0, 5_000, 42)
    assert (host.flags, host.facts) == (("clock",), {"os": "Debian"})


def test_a_late_batch_shows_only_that_the_host_is_there() -> None:
    house = House([CPU])
    house.arrive(arrival())
    outcome = house.arrive(
        arrival(seq=1, at=T0 - 60_000, arrived_at=T0 + 9, every_ms=1_000, flags=("clock",))
    )
    assert outcome.late
    host = house.watch.hosts[1].host
    assert (host.arrived_at, host.last_at, host.every_ms, host.flags) == (T0 + 9, T0, EVERY_MS, ())


def test_facts_of_an_older_batch_do_not_replace_newer_ones() -> None:
    house = House([CPU])
    house.arrive(arrival(facts={"os": "new"}))
    house.arrive(arrival(seq=1, at=T0 - 60_000, facts={"os": "old"}))
    assert house.watch.hosts[1].host.facts == {"os": "new"}


def test_facts_that_came_only_in_a_late_batch_are_taken() -> None:
    house = House([CPU])
    house.arrive(arrival())
    house.arrive(arrival(seq=1, at=T0 - 60_000, facts={"os": "Debian"}))
    assert house.watch.hosts[1].host.facts == {"os": "Debian"}


@pytest.mark.parametrize(
    ("given", "told", "labels", "own", "sentence"),
    [
        ({}, {"role": "web"}, {"role": "web"}, ("role",), "an agent may say what its host is"),
        (
            {"role": "db"},
            {"role": "web"},
            {"role": "db"},
            (),
            "what was set at enrolment stands over its word",
        ),
        ({}, {"parent": "x", "tenant": "y"}, {}, (), "what it belongs to is not for it to say"),
        (
            {"parent": "gw"},
            {"site": "a"},
            {"parent": "gw", "site": "a"},
            ("site",),
            "both kinds live side by side",
        ),
    ],
)
def test_labels(
    given: dict[str, str], told: dict[str, str], labels: dict[str, str], own: tuple[str, ...], sentence: str
) -> None:
    house = House([CPU], hosts=[Host(1, "h1", given)])
    house.arrive(arrival(labels=told))
    host = house.watch.hosts[1].host
    assert (host.labels, host.own_labels) == (labels, own), sentence


def test_an_agent_can_take_back_its_own_labels_only() -> None:
    house = House([CPU], hosts=[Host(1, "h1", {"site": "a"})])
    house.arrive(arrival(labels={"role": "web"}))
    house.arrive(arrival(seq=1, at=T0 + 1, labels={}))
    assert house.watch.hosts[1].host.labels == {"site": "a"}


def test_a_label_binds_rules_at_once_and_taking_it_away_ends_what_they_said() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0, where={"role": "web"})])
    bad = np.array([99.0])
    house.arrive(arrival(values=bad))
    assert house.stands("cpu") == "ok"
    house.arrive(arrival(seq=1, at=T0 + 1, labels={"role": "web"}, values=bad))
    assert house.stands("cpu") == "firing"
    house.arrive(arrival(seq=2, at=T0 + 2, labels={"role": "db"}, values=bad))
    assert house.stands("cpu") == "ok"
    assert house.transitions[-1].why == "the rule no longer applies to it"
    assert house.told[-1] == ("mail", "resolved", "warning")


def test_a_rule_can_name_a_host() -> None:
    hosts = [Host(1, "h1"), Host(2, "h2")]
    house = House([limit("cpu", "cpu_used_pct", above=90.0, where={"host": "h2"})], hosts=hosts)
    for host in (1, 2):
        house.arrive(arrival(host=host, values=np.array([99.0])))
    assert (house.stands("cpu", 1), house.stands("cpu", 2)) == ("ok", "firing")


# --- checks and series ------------------------------------------------------------------------------------------------


def test_only_answers_that_changed_are_kept_again() -> None:
    house = House([CPU])
    assert [answer.id for answer in house.batch(0, {}, checks=[check(), check(name="db")]).checks] == [
        "web",
        "db",
    ]
    refused = check("bad", "refused", "db", at=T0 + 10_000)
    assert house.batch(10, {}, checks=[check(at=T0 + 10_000), refused]).checks == [refused]
    slow = check(detail="slow", at=T0 + 20_000)
    assert house.batch(20, {}, checks=[slow]).checks == [slow]


@given(
    st.lists(
        st.tuples(
            st.lists(
                st.builds(check, STATES, st.sampled_from(["", "slow"]), st.sampled_from("ab")), max_size=2
            ),
            st.booleans(),
            st.integers(0, 3),
        )
    )
)
def test_what_is_news_of_the_checks_does_not_depend_on_whether_their_text_is_known(
    batches: list[tuple[list[CheckAnswer], bool, int]],
) -> None:
    told, untold = House([CPU]), House([CPU])
    for seq, (checks, is_known, back) in enumerate(batches):
        checks = list({one.id: one for one in checks}.values())
        given_both = {"seq": seq, "at": T0 + (seq - back) * EVERY_MS, "checks": checks}
        said = "|".join(f"{one.id}|{one.state}|{one.detail}" for one in checks) if is_known else ""
        news = told.arrive(arrival(**given_both, said=said)).checks
        assert list(news) == list(untold.arrive(arrival(**given_both)).checks)
    assert told.watch.hosts[1].checks == untold.watch.hosts[1].checks


def test_a_late_batch_says_nothing_about_how_checks_stand_now() -> None:
    house = House([CPU])
    house.batch(60, {}, checks=[check()])
    assert not house.batch(0, {}, arrived_s=61, checks=[check("bad")]).checks


def test_a_layout_that_changes_keeps_what_rules_said() -> None:
    house = House([limit("disk", "disk_used_pct", above=90.0, for_s=20)])
    root, var = 'disk_used_pct{mount="/"}', 'disk_used_pct{mount="/var"}'
    house.batch(0, {root: 10, var: 95})
    house.batch(10, {"load1": 1, root: 10, var: 95})
    house.batch(20, {var: 95})
    assert house.steps == ["disk ok>pending", "disk pending>firing"]
    assert house.open_alerts[0].subject == f"host:1/series:{var}"


def test_each_series_is_judged_by_itself() -> None:
    house = House([limit("disk", "disk_used_pct", above=90.0)])
    house.batch(0, {'disk_used_pct{mount="/"}': 95, 'disk_used_pct{mount="/var"}': 96})
    assert len(house.open_alerts) == len(house.open_incidents) == 2


def test_a_batch_ends_the_silence_of_its_host_even_a_late_one() -> None:
    for at_s in (0, 200):
        house = House([silence()])
        house.batch(100, {"load1": 1})
        house.tick(131)
        assert house.stands("absent") == "firing"
        house.batch(at_s, {"load1": 1}, arrived_s=200)
        assert house.stands("absent") == "ok"
        assert house.told == [("mail", "first", "critical"), ("mail", "resolved", "critical")]


def test_an_infinite_value_is_a_number_like_any_other() -> None:
    house = House([CPU])
    house.batch(0, {"cpu_used_pct": float("inf")})
    assert house.stands("cpu") == "firing"


# --- words without samples --------------------------------------------------------------------------------------------


def test_a_bye_is_remembered_and_is_no_sample() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0)])
    house.batch(0, {"cpu_used_pct": 99})
    outcome = house.bye(10, "shutdown")
    assert (outcome.arrival, outcome.changes, outcome.empty) == (None, [], False)
    host = house.watch.hosts[1].host
    assert (host.bye, host.arrived_at, host.last_at) == ("shutdown", T0 + 10_000, T0)
    assert house.stands("cpu") == "firing"
    assert house.bye(10, "shutdown", arrived_s=11).host is not None
    again = judge(house.watch, arrival(seq=1), T0)
    assert again.repeat


def test_a_host_that_is_back_has_its_bye_behind_it() -> None:
    house = House([])
    house.batch(0, {"load1": 1})
    house.bye(10, "restart")
    assert house.watch.hosts[1].host.bye == "restart"
    house.batch(20, {"load1": 1})
    assert house.watch.hosts[1].host.bye is None


def test_what_was_sampled_before_a_bye_and_came_after_it_does_not_undo_it() -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    house.bye(30, "shutdown")
    house.batch(10, {"load1": 1}, arrived_s=30)
    house.batch(20, {"load1": 1}, arrived_s=31)
    host = house.watch.hosts[1].host
    assert (host.bye, host.last_at) == ("shutdown", T0 + 20_000)
    house.tick(10_000)
    assert house.told == []
    house.batch(10_010, {"load1": 1})
    assert house.watch.hosts[1].host.bye is None


def test_a_bye_that_comes_after_the_host_is_back_is_over() -> None:
    house = House([])
    house.batch(20, {"load1": 1})
    house.bye(10, "shutdown", arrived_s=30)
    host = house.watch.hosts[1].host
    assert (host.bye, host.arrived_at) == (None, T0 + 30_000)


def test_a_host_that_only_ever_said_bye_was_never_heard() -> None:
    house = House([silence()])
    assert house.bye(0, "restart").host is None
    house.tick(10_000)
    assert house.watch.hosts[1].host.arrived_at is None
    assert house.told == []


def test_an_agent_that_is_uninstalled_takes_what_was_wrong_with_it() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0), limit("load", "load1", above=5.0, for_s=60)])
    house.batch(0, {"cpu_used_pct": 99, "load1": 9})
    house.bye(10, "uninstall")
    assert (house.open_alerts, house.stands("cpu"), house.stands("load")) == ([], "ok", "ok")
    assert house.told == [("mail", "first", "warning"), ("mail", "resolved", "warning")]
    assert {step.why for step in house.transitions[-2:]} == {"the agent was uninstalled"}


def test_a_bye_ends_the_silence_of_its_host() -> None:
    house = House([silence()])
    house.batch(0, {"load1": 1})
    house.tick(60)
    assert house.stands("absent") == "firing"
    house.bye(61, "shutdown")
    assert house.stands("absent") == "ok"


# --- a clock of ours that is set back ---------------------------------------------------------------------------------


def test_what_happens_after_our_clock_was_set_back_an_hour_is_judged_at_once() -> None:
    house = House([CPU])
    house.batch(3600, {"cpu_used_pct": 10})
    outcome = house.batch(0, {"cpu_used_pct": 99})
    host = house.watch.hosts[1].host
    assert not outcome.late
    assert (host.last_at, host.arrived_at) == (T0, T0)
    assert house.told == [("mail", "first", "warning")]
    house.batch(10, {"cpu_used_pct": 10})
    assert house.told[1:] == [("mail", "resolved", "warning")]


def test_what_was_pending_when_our_clock_was_set_back_fires_after_its_time() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0, for_s=30)])
    house.batch(3600, {"cpu_used_pct": 99})
    for at_s in (0, 10, 20, 30):
        house.batch(at_s, {"cpu_used_pct": 99})
    assert house.told == [("mail", "first", "warning")]


def test_a_host_that_spoke_before_our_clock_was_set_back_may_say_bye_after_it() -> None:
    house = House([])
    house.batch(3600, {"load1": 1})
    house.bye(0, "shutdown")
    host = house.watch.hosts[1].host
    assert (host.bye, host.arrived_at) == ("shutdown", T0)
