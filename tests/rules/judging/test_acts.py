"""What people do to incidents: judged like a batch, remarked for ever, and never at odds with what rules see."""

from __future__ import annotations

import pytest

from rules.judging.acts import (
    SNOOZE_MS_MAX,
    Acknowledge,
    Act,
    Assign,
    Changing,
    Edit,
    Note,
    Open,
    Publish,
    Refused,
    Resolve,
    Several,
    Snooze,
    Unacknowledge,
    act,
)
from rules.judging.judge import apply
from rules.model import REOPEN_MS
from tests.rules.house import T0
from tests.rules.judging.acting import HOUR, NOW, do, house, reasons, remarks

# --- what each act does -----------------------------------------------------------------------------------------------


ACKED = Acknowledge(1, "eve")


@pytest.mark.parametrize(
    ("before", "what", "changed", "remark"),
    [
        pytest.param(
            [], Acknowledge(1, "ada", "on it"), {"acknowledged_at": NOW, "acknowledged_by": "ada"},
            ("ada", "acknowledged", "on it"), id="acknowledging says who has it",
        ),
        pytest.param([ACKED], ACKED, None, None, id="saying so again changes nothing"),
        pytest.param(
            [ACKED], Acknowledge(1, "ada"), {"acknowledged_by": "eve"}, ("ada", "acknowledged", "has it too"),
            id="a second one is remarked, and the first stays named",
        ),
        pytest.param(
            [ACKED], Unacknowledge(1, "eve", "going home"), {"acknowledged_at": None, "acknowledged_by": ""},
            ("eve", "unacknowledged", "going home"), id="it can be given back",
        ),
        pytest.param([], Unacknowledge(1, "eve"), None, None, id="what nobody has cannot be given back"),
        pytest.param([], Note(1, "ada", "it is the disk"), {}, ("ada", "note", "it is the disk"), id="a note"),
        pytest.param(
            [], Publish(1, "ada", "Shop is slow"), {}, ("ada", "published", "Shop is slow"), id="an update for all"
        ),
        pytest.param([], Assign(1, "ada", "bob"), {"assignee": "bob"}, ("ada", "assigned", "bob"), id="assigning"),
        pytest.param(
            [Assign(1, "ada", "bob")], Assign(1, "bob", ""), {"assignee": ""},
            ("bob", "assigned", "nobody in particular"), id="and taking it from everybody",
        ),
        pytest.param([Assign(1, "a", "bob")], Assign(1, "ada", "bob"), None, None, id="to who has it already"),
        pytest.param(
            [], Snooze(1, "ada", NOW + HOUR), {"snoozed_until": NOW + HOUR},
            ("ada", "snoozed", "until 2026-11-20 03:01:00 UTC"), id="snoozing",
        ),
        pytest.param(
            [], Edit(1, "ada", title="the shop is slow", severity="critical"),
            {"title": "the shop is slow", "severity": "critical", "edited": ("severity", "title")},
            ("ada", "edited", "title: the shop is slow (was: h1: cpu 85 % > 80 %); severity: critical (was: warning)"),
            id="a better title, a truer severity",
        ),
        pytest.param(
            [], Edit(1, "ada", services=("shop", "mail")), {"services": ("shop", "mail")},
            ("ada", "edited", "services touched: shop, mail"), id="the services it touches",
        ),
        pytest.param(
            [], Edit(1, "ada", postmortem="We learned."), {"postmortem": "We learned."},
            ("ada", "edited", "the post-mortem"), id="a post-mortem is not repeated in the timeline",
        ),
        pytest.param([], Edit(1, "ada", severity="warning"), None, None, id="to say what is so changes nothing"),
        pytest.param(
            [], Resolve(1, "ada", "rebooted"), {"resolved_at": NOW, "resolved_by": "ada"},
            ("ada", "resolved", "rebooted"), id="resolving by hand",
        ),
    ],
)  # fmt: skip
def test_what_an_act_does_to_an_open_incident(
    before: list[Act], what: Act, changed: dict[str, object] | None, remark: tuple[str, str, str] | None
) -> None:
    home = house(85)
    for earlier in before:
        do(home, earlier)
    known = len(remarks(home))
    if changed is None:
        assert act(home.watch, what, NOW).empty
        return
    incident = do(home, what)
    assert {name: getattr(incident, name) for name in changed} == changed
    assert remarks(home)[known:] == [remark]
    assert home.watch.incidents[1] == incident


@pytest.mark.parametrize(
    ("what", "code", "sentence"),
    [
        (Note(7, "ada", "hm"), "unknown_incident", "There is no incident 7."),
        (Acknowledge(2, "ada"), "already_resolved", "Incident 2 is over already, since 2026-11-20 02:00:30 UTC."),
        (Resolve(2, "ada"), "already_resolved", "is over already"),
        (Snooze(2, "ada", NOW + HOUR), "already_resolved", "is over already"),
        (Unacknowledge(2, "ada"), "already_resolved", "is over already"),
        (Note(1, "ada", " \n"), "invalid", "The note is empty"),
        (Publish(1, "ada", " \n"), "invalid", "The update is empty"),
        (Note(1, "ada", "x" * 10_001), "invalid", "text has 10001 characters; at most 10000"),
        (Open(" ", "warning", "ada"), "invalid", "The title is empty"),
        (Open("x" * 201, "warning", "ada"), "invalid", "title has 201 characters"),
        (Open("x", "warning", "ada", services=("s",) * 51), "invalid", "At most 50 services"),
        (Edit(1, "ada", title=""), "invalid", "The title is empty"),
        (Edit(1, "ada", title="red \x1b[31m"), "invalid", "title holds a letter that no screen shows (U+001B); leave"),
        (Open("x", "warning", "ada", services=("a\x00",)), "invalid", "services holds a letter that no screen shows"),
        (Publish(1, "ada", "gpj.\u202efdp"), "invalid", "text holds a letter that no screen shows (U+202E)"),
        (Edit(1, "ada", postmortem="x" * 100_001), "invalid", "postmortem has 100001 characters"),
        (Snooze(1, "ada", NOW), "invalid", "from now on, for 30 days at most"),
        (Snooze(1, "ada", NOW + SNOOZE_MS_MAX + 1), "invalid", "for 30 days at most"),
    ],
)  # fmt: skip
def test_an_act_that_makes_no_sense_is_refused(what: Act, code: str, sentence: str) -> None:
    home = house(85)
    do(home, Open("gone", "warning", "ada"), T0 + 20_000)
    do(home, Resolve(2, "ada"), T0 + 30_000)
    with pytest.raises(Refused) as refused:
        act(home.watch, what, NOW)
    assert refused.value.code == code
    assert sentence in str(refused.value)


def test_a_post_mortem_is_written_upon_the_one_that_was_read() -> None:
    home = house(85)
    nothing_yet = home.watch.incidents[1].postmortem_version
    do(home, Edit(1, "ada", postmortem="The disk.", upon=nothing_yet))
    with pytest.raises(Refused) as refused:
        act(home.watch, Edit(1, "bob", postmortem="The network.", upon=nothing_yet), NOW)
    assert refused.value.code == "changed_meanwhile"
    assert home.watch.incidents[1].postmortem == "The disk."
    assert act(home.watch, Edit(1, "bob", postmortem="The disk.", upon=nothing_yet), NOW).empty
    upon = home.watch.incidents[1].postmortem_version
    assert do(home, Edit(1, "bob", postmortem="Both.", upon=upon)).postmortem == "Both."
    assert do(home, Edit(1, "eve", postmortem="Neither.")).postmortem == "Neither.", "who does not ask"


SAID = Edit(1, "ada", title="the shop is slow", severity="critical")


def test_several_acts_are_one_step_with_a_remark_for_each_and_word_once() -> None:
    home = house(85)
    told = len(home.notices)
    incident = do(home, Several(1, "ada", (SAID, Assign(1, "ada", "bob"), Acknowledge(1, "ada", "on it"))))
    assert (incident.title, incident.assignee, incident.acknowledged_by) == ("the shop is slow", "bob", "ada")
    assert [(kind, text) for _, kind, text in remarks(home)][1:] == [
        ("assigned", "bob"),
        ("acknowledged", "on it"),
    ]
    assert len(home.notices) == told, "who has it need not be told how grave they said that it is"
    ended = do(
        home, Several(1, "ada", (Edit(1, "ada", postmortem="We learned."), Resolve(1, "ada", "rebooted")))
    )
    assert (ended.postmortem, ended.resolved_by, ended.resolved_at) == ("We learned.", "ada", NOW)
    assert reasons(home)[told:] == ["resolved"]
    assert home.watch.incidents[1] == ended


@pytest.mark.parametrize(
    "last", [Snooze(1, "ada", NOW), Note(1, "ada", " "), Edit(1, "ada", title="x" * 201)]
)
@pytest.mark.parametrize("turned", [False, True])
def test_of_several_acts_all_are_refused_when_one_is(last: Changing, turned: bool) -> None:
    home = house(85)
    before = home.watch.incidents[1]
    acts = (last, SAID) if turned else (SAID, last)
    with pytest.raises(Refused):
        act(home.watch, Several(1, "ada", acts), NOW)
    assert home.watch.incidents[1] == before


def test_several_acts_upon_what_is_over_are_refused_when_one_of_them_needs_it_open() -> None:
    home = house(85)
    do(home, Resolve(1, "ada"))
    learned = Edit(1, "ada", postmortem="We learned.")
    with pytest.raises(Refused, match="over already"):
        act(home.watch, Several(1, "ada", (learned, Acknowledge(1, "ada"))), NOW)
    both = act(home.watch, Several(1, "ada", (learned, Note(1, "ada", "and wrote it down"))), NOW)
    assert ([one.postmortem for one in both.incidents], len(both.remarks)) == (["We learned."], 2)


# --- resolved by hand -------------------------------------------------------------------------------------------------


def test_what_is_resolved_by_hand_is_told_so_to_all_who_heard_of_it() -> None:
    home = house(85)
    do(home, Resolve(1, "ada", "rebooted"))
    assert reasons(home) == ["first", "resolved"]
    assert home.notices[1].title == "RESOLVED h1: cpu 85 % > 80 % (resolved by ada, lasted 60 s)"
    [alert] = home.watch.alerts.values()
    assert alert.resolved_at == NOW
    assert [(step.why, step.alert) for step in home.transitions][-1] == ("resolved by ada", alert.id)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        pytest.param([85, 85, 85], [], id="a rule that stays bad says nothing more"),
        pytest.param([85, None, 85], [], id="nor when nobody knew for a moment"),
        pytest.param([85, 50, 85], ["first"], id="it does once it has been ok"),
        pytest.param([85, 99], ["first"], id="or gets graver"),
        pytest.param([50, 50], [], id="that it is well at last needs no message"),
    ],
)
def test_a_rule_whose_alert_a_person_resolved(after: list[float | None], told: list[str]) -> None:
    home = house(85)
    do(home, Resolve(1, "ada"), T0 + 5_000)
    for turn, value in enumerate(after, start=1):
        home.batch(10 * turn, {"cpu_used_pct": value})
    assert reasons(home)[2:] == told


def test_one_that_was_critical_may_fall_and_rise_up_to_that_again() -> None:
    home = house(99)
    do(home, Resolve(1, "ada"), T0 + 5_000)
    for turn, value in enumerate([85, 99, 85, 99], start=1):
        home.batch(10 * turn, {"cpu_used_pct": value})
    assert reasons(home) == ["first", "resolved"]
    assert home.stands("cpu") == "firing"


def test_what_comes_back_soon_is_the_same_incident_in_another_round() -> None:
    home = house(85)
    do(home, Resolve(1, "ada"), T0 + 5_000)
    home.batch(10, {"cpu_used_pct": 99})
    [incident] = home.open_incidents
    assert (incident.id, incident.round, incident.resolved_by, incident.severity) == (1, 2, "", "critical")


def test_a_silent_host_that_was_resolved_is_silent_until_it_has_been_heard() -> None:
    home = house(50)
    for now_s in range(1, 60):
        home.tick(now_s)
    do(home, Resolve(1, "ada"))
    for now_s in range(60, 900):
        home.tick(now_s)
    assert reasons(home) == ["first", "resolved"]
    home.batch(900, {"cpu_used_pct": 50})
    for now_s in range(901, 1000):
        home.tick(now_s)
    assert reasons(home) == ["first", "resolved", "first"]


def test_many_silent_at_once_that_were_resolved_stay_so_each() -> None:
    home = house(50, hosts=6)
    for host in range(1, 7):
        home.batch(0, {"cpu_used_pct": 50}, host=host)
    for now_s in range(1, 100):
        home.tick(now_s)
    assert reasons(home) == ["first"]
    do(home, Resolve(1, "ada"), T0 + 100_000)
    for now_s in range(101, 1_500):
        home.tick(now_s)
    assert reasons(home) == ["first", "resolved"]
    assert home.watch.together == {}


def test_late_batches_do_not_bring_back_what_was_resolved_by_hand() -> None:
    home = house(85, 85)
    home.batch(40, {"cpu_used_pct": 85})
    do(home, Resolve(1, "ada"), T0 + 41_000)
    home.batch(20, {"cpu_used_pct": 85}, arrived_s=50)
    home.batch(30, {"cpu_used_pct": 86}, arrived_s=50)
    home.repair(120)
    assert reasons(home) == ["first", "resolved"]
    home.batch(50, {"cpu_used_pct": 85})
    assert reasons(home) == ["first", "resolved"]


# --- opened by hand, edited by hand, over long ago --------------------------------------------------------------------


def test_a_title_is_one_line_whatever_was_pasted_into_it() -> None:
    home = house()
    incident = do(home, Open("The shop\r\nBcc: all  is slow\n", "critical", "ada"), T0)
    assert incident.title == "The shop Bcc: all is slow"
    assert do(home, Edit(incident.id, "ada", title="It\nis\tquick")).title == "It is quick"
    assert all("\n" not in notice.title for notice in home.notices)


def test_an_incident_opened_by_hand_is_told_and_over_when_a_person_says_so() -> None:
    home = house(50)
    incident = do(home, Open("The shop is slow", "critical", "ada", "since lunch", ("shop",)))
    assert (incident.opened_by, incident.services, incident.key) == ("ada", ("shop",), "incident:1")
    for turn in range(1, 10):
        home.batch(10 * turn, {"cpu_used_pct": 50})
        home.tick(10 * turn + 1)
    assert reasons(home) == ["first"]
    assert home.notices[0].title.startswith("CRITICAL The shop is slow")
    assert "since lunch\n  reported by ada" in home.notices[0].text
    do(home, Resolve(incident.id, "eve"), NOW + HOUR)
    assert reasons(home) == ["first", "resolved"]
    assert "resolved by eve" in home.notices[1].title


def test_the_judge_leaves_alone_what_a_person_has_set() -> None:
    home = house(85)
    do(home, Edit(1, "ada", title="as usual on Mondays", severity="info"), T0 + 5_000)
    home.batch(10, {"cpu_used_pct": 99})
    [incident] = home.open_incidents
    assert (incident.title, incident.severity) == ("as usual on Mondays", "info")


def test_what_a_person_finds_graver_is_told_as_that() -> None:
    home = house(85)
    do(home, Edit(1, "ada", severity="critical"))
    assert reasons(home) == ["first", "escalated"]


def test_one_that_is_over_can_be_written_about_ever_after() -> None:
    home = house(85)
    do(home, Resolve(1, "ada"))
    much_later = NOW + 30 * REOPEN_MS
    kept = home.watch.incidents[1]
    do(home, Open("another", "info", "ada"), much_later)  # which has the Watch forget what is long over
    assert 1 not in home.watch.incidents
    with pytest.raises(Refused, match="There is no incident 1"):
        act(home.watch, Note(1, "ada", "hm"), much_later)
    outcome = act(home.watch, Edit(1, "ada", postmortem="We learned."), much_later, kept)
    apply(home.watch, outcome)
    assert [incident.postmortem for incident in outcome.incidents] == ["We learned."]
    assert 1 not in home.watch.incidents


def test_what_is_written_about_an_old_one_leaves_the_new_one_of_the_same_key_alone() -> None:
    home = house(85)
    do(home, Resolve(1, "ada"))
    old = home.watch.incidents[1]
    home.batch(2_000, {"cpu_used_pct": 50})
    home.batch(2_010, {"cpu_used_pct": 85})
    [new] = home.open_incidents
    apply(home.watch, act(home.watch, Note(1, "ada", "hm"), T0 + 2_020_000, old))
    home.batch(2_030, {"cpu_used_pct": 50})
    assert new.id != old.id
    assert not home.open_incidents
    assert reasons(home)[-1] == "resolved"
