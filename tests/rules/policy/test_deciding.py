"""Who is told: a row for each situation, a sentence for each row."""

from __future__ import annotations

from typing import Any

import pytest

from rules.model import Told
from rules.policy import Maintenance, Policy, Rotation, Route, Silence, Step
from rules.policy.oncall import StandIn
from tests.rules.policy.cases import HOUR, MAIL, MINUTE, T0, decided, looks, owed, told, trouble, withheld

ADA = Silence(where={"host": "db-*"}, start=T0 - HOUR, end=T0 + HOUR, by="ada", comment="new disks")
WORK = Maintenance(name="patch night", when="Friday 02:00 to 04:30", where={"role": "db"})
NIGHT = {"quiet_hours": "daily 22:00 to 07:00"}
LADDER = Route(
    channels=("mail",),
    escalate=(Step(after_s=900, channels=("all",)), Step(after_s=1800, channels=("mail", "pager"))),
)
HOURLY = Route(channels=("mail",), repeat_s={"warning": 3600.0})
OVER = {"resolved_at": T0}
NEXT = Told("warning", T0 + 15 * MINUTE, T0 + 15 * MINUTE, after_ms=15 * MINUTE)


@pytest.mark.parametrize(
    ("severity", "told_of", "over", "expected", "sentence"),
    [
        ("warning", {}, False, ["mail first", "all first"], "a new one: first, to those who want this much"),
        ("info", {}, False, ["all first"], "an info is for those who asked for infos"),
        ("critical", {}, False, ["mail first", "pager first", "all first"], "a grave one is for all"),
        ("warning", {"mail": "warning", "all": "warning"}, False, [], "nothing new: not a word"),
        (
            "critical",
            {"mail": "warning", "all": "warning"},
            False,
            ["mail escalated", "pager first", "all escalated"],
            "graver: escalated for those who know, first for those it reaches only now",
        ),
        ("warning", {"mail": "critical", "all": "critical"}, False, [], "milder: not a word"),
        (
            "critical",
            {"mail": "critical", "all": "critical"},
            False,
            ["pager first"],
            "graver again: nobody twice",
        ),
        (
            "warning",
            {"mail": "warning", "all": "info"},
            True,
            ["mail resolved", "all resolved"],
            "over: who was told",
        ),
        ("critical", {}, True, [], "over, and nobody ever knew"),
        ("warning", {"gone": "warning"}, True, [], "a channel that is no more is told nothing"),
    ],
)
def test_without_a_word_in_the_config(
    severity: Any, told_of: Any, over: bool, expected: list[str], sentence: str
) -> None:
    more: dict[str, Any] = OVER if over else {}
    assert owed(decided(severity, told=told(**told_of), **more)) == expected, sentence


@pytest.mark.parametrize(
    ("routes", "severity", "expected", "sentence"),
    [
        ([Route(where={"role": "db"}, channels=("mail",))], "warning", ["mail first"], "by a label"),
        (
            [Route(where={"host": "db-*"}, channels=("mail",))],
            "warning",
            ["mail first"],
            "by the host's name",
        ),
        (
            [Route(where={"role": "web"}, channels=("mail",))],
            "warning",
            [],
            "another label: no route, nobody",
        ),
        ([Route(where={"rack": "*"}, channels=("mail",))], "warning", [], "a label that it has not"),
        ([Route(rules=("disk-*",), channels=("mail",))], "warning", ["mail first"], "by its rule"),
        ([Route(categories=("disk",), channels=("mail",))], "warning", ["mail first"], "by what sort it is"),
        (
            [Route(services=("shop",), channels=("mail",))],
            "warning",
            ["mail first"],
            "by the service it touches",
        ),
        ([Route(services=("mail",), channels=("mail",))], "warning", [], "by another service"),
        (
            [Route(from_severity="critical", channels=("pager",)), Route(channels=("mail",))],
            "warning",
            ["mail first"],
            "the first that fits",
        ),
        (
            [Route(from_severity="critical", channels=("pager",)), Route(channels=("mail",))],
            "critical",
            ["pager first"],
            "and no other",
        ),
        (
            [Route(channels=("all",), continue_=True), Route(channels=("mail",)), Route(channels=("pager",))],
            "critical",
            ["mail first", "all first"],
            "one that says continue, and the one after it",
        ),
        ([Route(channels=("pager",))], "warning", [], "a channel never hears of less than it wants to"),
        (
            [Route(when="Mon-Fri 08:00 to 18:00", channels=("mail",))],
            "warning",
            [],
            "not at this time of day",
        ),
        (
            [Route(when="Mon-Fri 02:00 to 04:00", channels=("mail",))],
            "warning",
            ["mail first"],
            "at this one",
        ),
    ],
)
def test_routes(routes: list[Route], severity: Any, expected: list[str], sentence: str) -> None:
    assert owed(decided(severity, Policy(routes=routes), services=("shop",))) == expected, sentence


def test_where_no_route_leads_the_reason_is_written_down() -> None:
    decision = decided("warning", Policy(routes=[Route(where={"role": "web"}, channels=("mail",))]))
    assert withheld(decision) == ["no route"]


def test_a_route_for_the_day_tells_in_the_morning() -> None:
    decision = decided("warning", Policy(routes=[Route(when="Mon-Fri 08:00 to 18:00", channels=("mail",))]))
    assert looks(decision) == 5 * 60


@pytest.mark.parametrize(
    ("policy", "severity", "more", "after", "expected", "kept", "sentence"),
    [
        ({"silences": [ADA]}, "critical", {}, 0, [], ["silence until 60 (ada: new disks)"], "silenced: nobody"),
        ({"silences": [ADA]}, "warning", {}, 60, ["mail first", "all first"], [], "silence over: told then"),
        ({"silences": [ADA]}, "warning", {"told": told(mail="warning"), **OVER}, 0, ["mail resolved"], [],
         "the end of what was told goes through every silence"),
        ({"silences": [ADA]}, "critical", {"told": told(mail="warning")}, 0, [],
         ["silence until 60 (ada: new disks)"], "silenced after it was told: not again, and not further"),
        ({"maintenance": [WORK]}, "critical", {}, 0, [], ["maintenance until 90 (patch night)"], "work is done"),
        ({"maintenance": [WORK], "silences": [ADA]}, "critical", {}, 0, [], ["maintenance until 90 (patch night)"],
         "of two that keep it quiet, the longer"),
        (NIGHT, "warning", {}, 0, [], ["mail quiet hours until 240", "all quiet hours until 240"],
         "a warning waits for the morning"),
        (NIGHT, "critical", {}, 0, ["mail first", "pager first", "all first"], [], "what is critical does not"),
        (NIGHT, "warning", {}, 240, ["mail first", "all first"], [], "in the morning it is told"),
        (NIGHT, "warning", OVER, 240, [], [], "unless it is over by then"),
        (NIGHT | {"routes": [HOURLY]}, "warning", {"told": told(mail="warning")}, 60, [], [],
         "nobody is reminded of a warning at night, and the reminder does not wait for the morning in a bundle"),
        (NIGHT | {"routes": [HOURLY]}, "warning", {"told": told(mail="warning")}, 240, ["mail repeat"], [],
         "in the morning they are"),
        (NIGHT, "warning", {"told": told(mail="warning"), **OVER}, 0, [], ["mail quiet hours until 240"],
         "that a warning is over waits for the morning, too"),
        (NIGHT, "warning", {"told": told(mail="critical"), **OVER}, 0, ["mail resolved"], [],
         "whoever was woken hears at once that it is over"),
        ({}, "warning", {"acknowledged_at": T0, "acknowledged_by": "ada", "noted": "warning"}, 0, [],
         ["mail acknowledged (ada)", "all acknowledged (ada)"], "somebody has it: others need not hear of it"),
        ({}, "critical", {"acknowledged_at": T0, "noted": "warning", "told": told(mail="warning")}, 0,
         ["mail escalated", "pager first", "all first"], [], "graver than when it was acknowledged: told again"),
        ({}, "critical", {"acknowledged_at": T0, "noted": "critical", "told": told(mail="critical")}, 9999, [],
         ["pager acknowledged", "all acknowledged"], "acknowledged: not told again, however long it takes"),
        ({}, "warning", {"acknowledged_at": T0, "noted": "warning", "told": told(mail="warning"), **OVER}, 0,
         ["mail resolved"], [], "somebody had it: that it is over is told all the same"),
        ({"routes": [LADDER]}, "warning", {"acknowledged_at": T0, "noted": "warning", "told": told(mail="warning")},
         60, [], [], "somebody has it: nothing goes further, nor does it wait to"),
        ({}, "critical", {"snoozed_until": T0 + HOUR, "noted": "critical", "told": told(mail="critical")}, 30, [],
         ["pager snoozed until 60", "all snoozed until 60"], "put off for an hour"),
        ({}, "warning", {"snoozed_until": T0 + HOUR, "noted": "warning", "told": told(mail="warning", all="warning")},
         60, ["mail repeat", "all repeat"], [], "when that ends, it is called to mind"),
    ],
)  # fmt: skip
def test_what_keeps_it_quiet(
    policy: Any, severity: Any, more: Any, after: int, expected: list[str], kept: list[str], sentence: str
) -> None:
    decision = decided(severity, Policy(**policy), after=after * MINUTE, **more)
    assert (owed(decision), withheld(decision)) == (expected, kept), sentence
    if kept and "until" in kept[0]:
        assert looks(decision) == min(int(one.split("until ")[1].split()[0]) for one in kept)


def test_a_rule_that_is_only_tried_tells_nobody() -> None:
    decision = decided("critical", troubles=(trouble("critical", observed=True),))
    assert (owed(decision), withheld(decision), looks(decision)) == ([], ["observe"], None)


def test_of_two_alerts_of_which_one_is_silenced_the_other_is_told_and_as_grave_as_it_is() -> None:
    silence = Silence(rules=("disk-grave",), start=T0, end=T0 + HOUR, by="ada")
    both = (trouble("critical", rule="disk-grave"), trouble("warning"))
    decision = decided("critical", Policy(silences=[silence]), troubles=both)
    assert [(one.channel, one.reason, one.severity) for one in decision.owed] == [
        ("mail", "first", "warning"),
        ("all", "first", "warning"),
    ]
    assert looks(decision) == 60, "then the other may be told"


@pytest.mark.parametrize(
    ("after", "severity", "route", "expected", "next_look", "sentence"),
    [
        (239, "critical", Route(channels=("mail",)), [], 240, "four hours are not over"),
        (240, "critical", Route(channels=("mail",)), ["mail repeat"], None, "what is critical is told again"),
        (9999, "warning", Route(channels=("mail",)), [], None, "a warning is not"),
        (60, "warning", Route(channels=("mail",), repeat_s={"warning": 3600.0}), ["mail repeat"], None,
         "unless the route says so"),
        (9999, "critical", Route(channels=("mail",), repeat_s={}), [], None, "or says that nothing is"),
        (9999, "critical", Route(channels=("pager",)), ["pager first"], None, "a channel it no longer reaches is left"),
    ],
)  # fmt: skip
def test_repeats(
    after: int, severity: Any, route: Route, expected: list[str], next_look: int | None, sentence: str
) -> None:
    decision = decided(severity, Policy(routes=[route]), after=after * MINUTE, told=told(mail=severity))
    assert owed(decision) == expected, sentence
    if not expected:
        assert looks(decision) == next_look


@pytest.mark.parametrize(
    ("after", "more", "expected", "sentence"),
    [
        (14, {}, [], "nobody else yet"),
        (15, {}, ["all first"], "after a quarter of an hour the next"),
        (30, {"told": {**told(mail="warning"), "all": NEXT}}, ["mail escalated"],
         "after half an hour whoever was told first hears that nobody has it"),
        (30, {"told": {"mail": Told("warning", T0, T0, 2, 1_800_000), "all": NEXT}}, [], "once"),
        (15, {"acknowledged_at": T0, "noted": "warning"}, [], "nobody else when somebody has it"),
        (15, {"snoozed_until": T0 + HOUR, "noted": "warning"}, [], "or has put it off"),
        (15, {"told": {}}, ["mail first"], "counted from when somebody was told, not from when it began"),
    ],
)  # fmt: skip
def test_escalation_steps(after: int, more: Any, expected: list[str], sentence: str) -> None:
    known: dict[str, Any] = {"told": told(mail="warning"), **more}
    decision = decided("warning", Policy(routes=[LADDER]), after=after * MINUTE, **known)
    assert owed(decision) == expected, sentence


TURNS = [
    Rotation(
        name="ops",
        weeks=("mail", "all"),
        since="2026-11-16",
        hand_over="Monday 09:00",
        instead=(StandIn(channel="pager", when="2026-11-20 04:00 to 05:00"),),
    )
]
DUTY = Policy(routes=[Route(channels=("ops",))], on_call=TURNS)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0, ["mail first"]),
        (60, ["pager first"]),
        (120, ["mail first"]),
        (60 * 78 - 1, ["mail first"]),
        (60 * 78, ["all first"]),
        (60 * (78 + 168), ["mail first"]),
    ],
)
def test_whoever_has_the_week_is_told(after: int, expected: list[str]) -> None:
    assert owed(decided("critical", DUTY, after=after * MINUTE)) == expected


def test_whoever_takes_over_is_told_of_what_nobody_has() -> None:
    early = decided("critical", DUTY, told=told(mail="critical"), after=30 * MINUTE)
    assert (owed(early), looks(early)) == ([], 60)
    known: dict[str, Any] = {"told": told(mail="critical"), "after": 60 * MINUTE}
    assert owed(decided("critical", DUTY, **known)) == ["pager first"]
    assert owed(decided("critical", DUTY, acknowledged_at=T0, noted="critical", **known)) == []


def test_what_keeps_coming_and_going_is_over_once_it_has_been_quiet() -> None:
    restless: dict[str, Any] = {"came": (T0 - 20 * MINUTE, T0 - 10 * MINUTE, T0), "resolved_at": T0 + MINUTE}
    decision = decided("warning", told=told(mail="warning"), after=2 * MINUTE, **restless)
    assert (owed(decision), withheld(decision)) == ([], ["mail flapping until 11"])
    assert owed(decided("warning", told=told(mail="warning"), after=11 * MINUTE, **restless)) == [
        "mail resolved"
    ]
    by_hand = decided("warning", told=told(mail="warning"), after=MINUTE, resolved_by="ada", **restless)
    assert owed(by_hand) == ["mail resolved"], "a person is believed at once"


def test_asked_again_after_telling_nothing_is_owed() -> None:
    first = decided("critical", channels=(MAIL,))
    assert owed(first) == ["mail first"]
    assert owed(decided("critical", channels=(MAIL,), told=told(mail="critical"))) == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"host": "db-3"}, []),
        ({"host": ["db-1", "db-3"]}, []),
        ({"host": ["db-1", "web-*"]}, ["mail first"]),
        ({"host": "db-?", "role": "db"}, []),
        ({"host": "db-3", "role": "web"}, ["mail first"]),
        ({"host": "db-4"}, ["mail first"]),
        ({}, []),
    ],
)
def test_a_silence_is_found_whether_it_names_hosts_or_not(where: Any, expected: list[str]) -> None:
    others = [
        Silence(where={"host": f"web-{number}"}, start=T0, end=T0 + 1, by="ada") for number in range(50)
    ]
    mine = Silence(where=where, start=T0, end=T0 + HOUR, by="ada")
    assert owed(decided("warning", Policy(silences=[*others, mine]), channels=(MAIL,))) == expected
