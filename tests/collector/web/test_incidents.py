"""An incident told in plain words, and what became of each message."""

from __future__ import annotations

import pytest

from collector.store import NoticeRow
from collector.web.incidents import alert_rows, incident_row, notice_line, subject_words, timeline
from collector.web.words import Times, zone_named
from rules.model import Alert, Host, Incident, Notice, Remark, RemarkKind, Transition

NOW = 1_795_140_000_000  # Friday, 2026-11-20 02:00:00 UTC
SECOND, MINUTE = 1_000, 60_000
TIMES = Times(zone_named("UTC"), NOW)
SUBJECT = 'host:3/series:disk_used_pct{mount="/var"}'
HOSTS = {3: Host(3, "db-3")}
SINCE, FIRED = NOW - 38 * MINUTE, NOW - 33 * MINUTE
OPEN = Incident(41, SUBJECT, "db-3: disk /var 96 % > 95 %", "critical", SINCE)
ALERT = Alert(7, "disk-full", SUBJECT, 3, "critical", SINCE, FIRED, "disk /var 96 % > 95 %", 41, 96.0, 95.0)
FIRING = Transition("disk-full", SUBJECT, "pending", "firing", FIRED, FIRED, "critical", 96.4, alert=7)


def notice(**changed: object) -> NoticeRow:
    told = Notice(
        "wk-1", 41, "mail", "first", "critical", "db-3", "CRITICAL db-3: disk", "text", FIRED, SINCE
    )
    given = {
        "notice": told,
        "delivery": "sent",
        "tries": 1,
        "tried_at": FIRED,
        "sent_at": FIRED + 300,
        "answer": "250 OK",
    }
    return NoticeRow(**(given | changed))  # type: ignore[arg-type]


def story(
    incident: Incident = OPEN,
    transitions: tuple[Transition, ...] = (FIRING,),
    notices: tuple[NoticeRow, ...] = (),
    remarks: tuple[Remark, ...] = (),
) -> list[str]:
    events = timeline(incident, [ALERT], transitions, notices, remarks, HOSTS, TIMES)
    lines = [f"{event.when.text} {event.text} [{event.detail}] {event.late}".strip() for event in events]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def test_an_incident_is_told_from_its_first_bad_sample_on() -> None:
    assert story(notices=(notice(),)) == [
        "01:22:00 db-3, disk /var: first beyond its limit; it has to last before anybody is told. []",
        "01:27:00 db-3: disk /var 96 % > 95 % (critical). [value 96.4 %, rule disk-full]",
        "01:27:00 mail is told that it began: sent within a second. [answer: 250 OK]",
    ]


def test_the_end_comes_last() -> None:
    over = Incident(41, SUBJECT, "db-3: disk", "critical", SINCE, resolved_at=NOW - MINUTE)
    well = Transition("disk-full", SUBJECT, "firing", "ok", NOW - MINUTE, NOW - MINUTE, value=81.0, alert=7)
    assert story(over, (FIRING, well))[-2:] == [
        "01:59:00 db-3, disk /var: well again. [value 81 %, rule disk-full]",
        "01:59:00 The incident is over, after 37 min. []",
    ]


def test_what_was_learned_late_says_so() -> None:
    late = Transition(
        "disk-full", SUBJECT, "ok", "firing", FIRED, NOW - MINUTE, "critical", 96.4, late=True, alert=7
    )
    assert story(transitions=(late,))[-1].endswith("learned 32 min late, at 01:59:00")


def test_an_escalation_says_what_it_was_and_what_it_became() -> None:
    mild = Transition(
        "disk-full", SUBJECT, "pending", "firing", FIRED - MINUTE, FIRED - MINUTE, "warning", 88.0, alert=7
    )
    assert story(transitions=(mild, FIRING))[1:] == [
        "01:26:00 db-3, disk /var (warning). [value 88 %, rule disk-full]",
        "01:27:00 db-3: disk /var 96 % > 95 % (critical). [value 96.4 %, rule disk-full]",
    ]


def test_no_answer_is_not_the_end() -> None:
    gone = Transition("disk-full", SUBJECT, "firing", "unknown", NOW, NOW, why="series gone", alert=7)
    assert story(transitions=(gone,))[-1] == (
        "02:00:00 db-3, disk /var: no answer, so nobody knows; the alert stays. [series gone, rule disk-full]"
    )


def test_who_took_it_is_told() -> None:
    taken = Incident(41, SUBJECT, "db-3: disk", "critical", SINCE, acknowledged_at=NOW, acknowledged_by="Ada")
    assert incident_row(taken, HOSTS, TIMES).mark.look == "mark critical taken"
    assert incident_row(taken, HOSTS, TIMES).state == "acknowledged by Ada at 02:00"


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        ("opened", "since lunch", "ada opened this incident by hand. [since lunch]"),
        ("acknowledged", "", "ada has it. []"),
        ("acknowledged", "on it", "ada has it. [on it]"),
        ("acknowledged", "has it too", "ada has it too. []"),
        ("unacknowledged", "", "ada does not have it any more. []"),
        ("resolved", "rebooted", "ada resolved it by hand. [rebooted]"),
        ("note", "it is the disk", "ada wrote a note. [it is the disk]"),
        ("assigned", "bob", "ada gave it to bob. []"),
        ("snoozed", "until 2026-11-20 03:00:00 UTC", "ada put it off until 2026-11-20 03:00:00 UTC. []"),
        ("edited", "severity: info", "ada changed what is said of it. [severity: info]"),
    ],
)
def test_what_people_did_is_a_line_of_the_timeline(kind: RemarkKind, text: str, line: str) -> None:
    assert story(remarks=(Remark(41, NOW, "ada", kind, text),))[-1] == f"02:00:00 {line}"


def test_a_rule_that_is_bad_still_when_its_alert_is_resolved_by_hand_says_what_that_means() -> None:
    hushed = Transition(
        "disk-full", SUBJECT, "firing", "firing", NOW, NOW, "critical", why="resolved by ada", alert=7
    )
    assert story(transitions=(FIRING, hushed))[-1] == (
        "02:00:00 db-3, disk /var: as it was, and resolved by ada; nobody is told again before it is ok once, "
        "or graver. [rule disk-full]"
    )


@pytest.mark.parametrize(
    ("changed", "word", "fate"),
    [
        ({}, "sent", "sent within a second"),
        ({"sent_at": FIRED + 38 * MINUTE}, "sent", "sent after 38 min"),
        ({"delivery": "waiting", "tries": 0, "sent_at": None}, "waiting", "waits to be sent"),
        (
            {"delivery": "waiting", "tries": 2, "sent_at": None, "next_try_at": NOW + 30 * SECOND},
            "will be tried again",
            "not delivered yet, tried again in 30 s",
        ),
        (
            {"delivery": "waiting", "tries": 2, "sent_at": None},
            "will be tried again",
            "not delivered yet, tried again any moment",
        ),
        ({"delivery": "sending", "sent_at": None}, "being sent", "being sent"),
        ({"delivery": "failed", "sent_at": None}, "not delivered", "not delivered, and not tried any more"),
    ],
)
def test_what_became_of_a_notice_is_a_sentence(changed: dict[str, object], word: str, fate: str) -> None:
    line = notice_line(notice(**changed), TIMES)
    assert line.mark.word == word
    assert line.delivery.replace("\N{NO-BREAK SPACE}", " ") == fate


def test_a_notice_that_may_have_come_twice_says_so() -> None:
    assert notice_line(notice(perhaps_again=True), TIMES).perhaps_again
    assert "perhaps sent twice" in story(notices=(notice(perhaps_again=True),))[-1]


def test_what_still_stands_comes_first_then_the_gravest() -> None:
    over = Alert(8, "load", SUBJECT, 3, "critical", SINCE, FIRED, "over", 41, resolved_at=NOW)
    mild = Alert(9, "load", SUBJECT, 3, "warning", SINCE, FIRED, "mild", 41)
    rows = alert_rows([over, mild, ALERT], HOSTS, TIMES)
    assert [row.summary for row in rows] == ["disk /var 96 % > 95 %", "mild", "over"]
    assert rows[-1].mark.word == "over"


@pytest.mark.parametrize("runbook", ["javascript:alert(1)", "data:text/html,x", "//elsewhere", ""])
def test_a_runbook_is_a_link_only_when_it_leads_to_a_page(runbook: str) -> None:
    alert = Alert(9, "load", SUBJECT, 3, "warning", SINCE, FIRED, "mild", 41, runbook=runbook)
    assert alert_rows([alert], HOSTS, TIMES)[0].runbook == ""


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (SUBJECT, "db-3, disk /var"),
        ("host:3", "db-3"),
        ("host:99", "host:99"),
        ("host:3/series:<no series>", "db-3, <no series>"),
        ("service:shop", "service:shop"),
    ],
)
def test_a_subject_is_said_in_words(subject: str, said: str) -> None:
    assert subject_words(subject, HOSTS) == said
