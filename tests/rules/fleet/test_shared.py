"""Checks that several hosts run: how many must say that it is bad, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.fleet.shared import VALUES, Answers, SharedCheck
from rules.judging.acts import Resolve, act
from rules.judging.judge import apply, replace_rules
from rules.kinds import unanswered
from rules.model import ChannelView, CheckAnswer, CheckState, Host
from rules.policy import Policy, Route
from rules.sla.courses import steady
from rules.sla.model import DEGRADED, DOWN, UNKNOWN, UP, CheckPart, Need, ServiceOptions
from rules.sla.timeline import Range, combined
from tests.rules.house import T0, House, limit, remembered, stored

SERIES = 'check_state{check="shop",kind="http"}'
FAILING = limit("check-failing", "check_state", above={"warning": 0.0, "critical": 1.0})
WEB = [Host(number, f"web-{number}", {"role": "web"}) for number in (1, 2, 3)]
TWO = SharedCheck("shop", {"role": "web"}, about="shop", need=2)

ok: CheckState = "ok"
warn: CheckState = "warn"
bad: CheckState = "bad"
unknown: CheckState = "unknown"


@pytest.mark.parametrize(
    ("need", "said", "state", "sentence"),
    [
        (2, [ok, ok, ok], "ok", "all reach it"),
        (2, [bad, ok, ok], "ok", "one place alone is no proof"),
        (2, [bad, bad, ok], "bad", "two are"),
        (2, [bad, unknown, ok], "unknown", "one that vanished is unknown, and here it decides"),
        (2, [unknown, unknown, ok], "unknown", "both may be"),
        (2, [unknown, ok, ok], "ok", "it would be the only one"),
        (2, [unknown, unknown, unknown], "unknown", "nobody is left to ask"),
        (2, [bad, warn, ok], "warn", "one is bad, and two are at least not well"),
        (2, [warn, warn, ok], "warn", "two warn"),
        (2, [bad], "unknown", "the only place there is cannot be two"),
        (2, [ok], "ok", "but that all is well it can say"),
        ("any", [bad, ok, ok], "bad", "any is one"),
        ("any", [unknown, ok, ok], "unknown", "... which the vanished one may be"),
        ("all", [bad, bad, ok], "ok", "all is all"),
        ("all", [bad, bad, bad], "bad", "and so they are"),
        ("all", [bad, bad, unknown], "unknown", "the third decides"),
    ],
)
def test_how_many_places_must_say_so(
    need: Need, said: Sequence[CheckState], state: str, sentence: str
) -> None:
    answers = Answers(SERIES, {f"web-{place}": (one, "") for place, one in enumerate(said)})
    assert answers.state(need) == state, sentence


SLA_CLASS = {"ok": UP, "warn": DEGRADED, "bad": DOWN, "unknown": UNKNOWN}


@given(st.lists(st.sampled_from([ok, warn, bad, unknown]), min_size=1, max_size=7), st.integers(1, 7))
def test_a_service_that_is_made_of_it_is_down_just_when_it_is_bad_and_up_when_it_is_ok(
    said: list[CheckState], need: int
) -> None:
    need = min(need, len(said))
    answers = Answers(SERIES, {f"web-{place}": (one, "") for place, one in enumerate(said)})
    parts = [steady(0, 10, SLA_CLASS[one], "") for one in said]
    course = combined(parts, len(said) - need + 1, Range(0, 10))
    assert (answers.state(need) == "bad") == (course.codes.tolist() == [DOWN])
    assert (answers.state(need) == "ok") == (course.codes.tolist() == [UP])


def shop(check: SharedCheck = TWO, **more: Any) -> House:
    house = House([], watch=remembered([FAILING], hosts=WEB, **more))
    replace_rules(house.watch, [FAILING], house.watch.channels, [check])
    return house


def say(house: House, at_s: float, *states: CheckState | None, detail: str = "") -> None:
    """The places report in their order, None for one that does not; then time passes a little."""
    for host, state in enumerate(states, 1):
        if state is not None:
            at = T0 + round(1000 * at_s)
            answer = CheckAnswer("shop", "http", state, at, detail=detail if state == "bad" else "")
            house.batch(at_s, {"load1": 1, SERIES: VALUES[state]}, host=host, checks=[answer])
    house.tick(at_s + 1)


def test_it_is_one_alert_one_incident_and_one_message_that_names_the_places() -> None:
    house = shop()
    say(house, 0, ok, ok, ok)
    say(house, 10, bad, ok, ok)
    assert house.transitions == [], "no single place is judged by itself"
    say(house, 20, bad, bad, ok, detail="connection refused")
    (alert,) = house.open_alerts
    assert (alert.subject, alert.rule, alert.host) == ("check:shop", "check-failing", 0)
    (incident,) = house.open_incidents
    assert incident.key == "check:shop"
    (notice,) = house.notices
    assert notice.title == (
        "CRITICAL shop: 2 of 3 places do not reach it: web-1, web-2 (connection refused) (since 02:00 UTC)"
    )
    say(house, 30, bad, ok, ok)
    assert house.told == [("mail", "first", "critical"), ("mail", "resolved", "critical")]


def test_a_place_that_vanished_is_unknown_and_an_alert_outlives_that() -> None:
    house = shop()
    say(house, 0, bad, bad, ok)
    for at_s in (10, 20, 30, 40):
        say(house, at_s, bad, None, ok)
    assert house.watch.gathered["check-failing", "check:shop"].state == "unknown"
    assert len(house.open_alerts) == 1
    say(house, 50, ok, None, ok)
    assert house.told[-1] == ("mail", "resolved", "critical")


def test_a_place_that_stopped_as_planned_is_none() -> None:
    house = shop(SharedCheck("shop", {"role": "web"}, need="all"))
    say(house, 0, ok, ok, ok)
    house.bye(5, "shutdown", host=3)
    say(house, 10, bad, bad)
    assert "2 of 2 places" in house.notices[0].title


def test_places_that_give_no_answer_are_told_of_and_silent_ones_are_not() -> None:
    mute = unanswered.Rule(unanswered.Options(name="mute"))
    house = House([], watch=remembered([mute], hosts=WEB))
    replace_rules(house.watch, [mute], house.watch.channels, [TWO])
    say(house, 0, ok, ok, ok)
    for at_s in range(10, 60, 10):
        say(house, at_s, ok, None, None)
    assert house.told == [], "nobody knows, but that two places are silent is said elsewhere"
    say(house, 60, ok, unknown, unknown)
    (notice,) = house.notices
    assert notice.title.startswith("WARNING shop: 2 of 3 places get no answer: web-2, web-3 (since")
    say(house, 70, bad, unknown, ok)
    say(house, 80, bad, ok, ok)
    assert house.told[-1] == ("mail", "resolved", "warning")


def test_after_a_start_it_waits_for_each_place_to_be_heard() -> None:
    house = shop()
    say(house, 0, bad, bad, ok)
    rest = stored(house.watch)
    again = House([], watch=remembered([FAILING], rest=rest, started_s=20))
    replace_rules(again.watch, [FAILING], again.watch.channels, [TWO])
    again._seq = dict.fromkeys((1, 2, 3), 10)
    again.tick(21)
    say(again, 22, bad)
    assert again.transitions == []
    say(again, 23, None, bad, ok)
    assert again.transitions == []
    say(again, 33, ok, ok, ok)
    assert again.told == [("mail", "resolved", "critical")]


def test_it_touches_the_service_that_it_is_about() -> None:
    policy = Policy(
        routes=[Route(services=("shop",), channels=("mail",)), Route(channels=())],
        services=[ServiceOptions(name="shop", checks=[CheckPart(id="other")])],
    )
    house = shop(policy=policy)
    say(house, 0, bad, bad, ok)
    assert house.told == [("mail", "first", "critical")]
    house = shop(SharedCheck("shop", {"role": "web"}, need=2), policy=policy)
    say(house, 0, bad, bad, ok)
    assert house.told == []


def test_a_check_that_is_no_longer_shared_is_judged_where_it_runs() -> None:
    house = shop()
    say(house, 0, bad, bad, ok)
    replace_rules(house.watch, [FAILING], [ChannelView("mail")])
    say(house, 10, bad, bad, ok)
    assert {alert.subject for alert in house.open_alerts} == {
        f"host:{host}/series:{SERIES}" for host in (1, 2)
    }
    replace_rules(house.watch, [FAILING], [ChannelView("mail")], [TWO])
    say(house, 20, bad, bad, ok)
    assert {alert.subject for alert in house.open_alerts} == {"check:shop"}


def test_a_host_that_is_none_of_the_places_is_judged_by_itself() -> None:
    hosts = [*WEB, Host(4, "db-1", {"role": "db"})]
    house = House([], watch=remembered([FAILING], hosts=hosts))
    replace_rules(house.watch, [FAILING], house.watch.channels, [TWO])
    say(house, 0, ok, ok, ok, bad)
    assert [alert.subject for alert in house.open_alerts] == [f"host:4/series:{SERIES}"]


def test_rules_for_some_hosts_only_do_not_look_at_it() -> None:
    mine = limit("mine", "check_state", above=1.0, where={"role": "web"})
    house = shop()
    replace_rules(house.watch, [mine], house.watch.channels, [TWO])
    say(house, 0, bad, bad, bad)
    assert house.transitions == []


def test_resolved_by_hand_it_says_nothing_until_it_was_over_once() -> None:
    house = shop()
    say(house, 0, bad, bad, ok)
    (incident,) = house.open_incidents
    apply(house.watch, act(house.watch, Resolve(incident.id, "ada"), T0 + 5_000))
    say(house, 10, bad, bad, bad)
    assert house.open_alerts == []


def test_many_places_are_named_up_to_twelve() -> None:
    answers = Answers(SERIES, {f"w{place:02}": ("bad", "") for place in range(15)})
    assert answers.sentence("shop", "http", "bad").endswith("w10, w11 and 3 more")
    assert "find it bad" in answers.sentence("shop", "exec", "bad")
