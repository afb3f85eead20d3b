"""`watchkeeper alerts`, `incidents`, and what people say of one: ack, unack, resolve, note, assign, open."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

from collector.cli import Commands, House, number_up_to
from collector.cli.close import did_you_mean
from collector.cli.remote.answers import Alert, Incident, IncidentDetails, Rule, ms
from collector.cli.remote.client import PAGE, Refused, decoded, encoded, entries
from collector.cli.remote.command import DONE, Talk, add_talk, pointing_to, several
from collector.cli.remote.hosts import host_named
from collector.cli.remote.paper import Cells
from rules import words
from rules.model import Severity

ID_MAX = 2**53 - 1
SEVERITIES = get_args(Severity)
STATES = ("open", "resolved", "all")
TIMELINE_SHOWN = 40
NOTE_LETTERS_MAX = 10_000

OVER = "those that are over: watchkeeper {} --state all"
ALL = "incidents --state all"
"""Where every number stands."""

Change = Callable[[argparse.Namespace], dict[str, object]]
"""What is to be different about an incident, as the API takes it."""


def add_to(commands: Commands, house: House) -> None:
    _add_looking(commands, house)
    _add_saying(commands, house)


def _add_looking(commands: Commands, house: House) -> None:
    alerts = commands.add_parser("alerts", help="which rules are bad about what")
    alerts.add_argument("--host", metavar="NAME", help="about this host alone")
    alerts.add_argument("--rule", metavar="NAME", help="of this rule alone")
    _add_filters(alerts)
    add_talk(alerts, house, _alerts, watch=True)

    incidents = commands.add_parser("incidents", help="what is wrong, or all about one incident")
    incidents.add_argument(
        "id", nargs="?", type=number_up_to(ID_MAX), metavar="ID", help="this one, with its timeline"
    )
    _add_filters(incidents)
    add_talk(incidents, house, _incidents, watch=True)


def _add_saying(commands: Commands, house: House) -> None:
    for verb, text, state, said in (
        ("ack", "say that you have an incident: nobody is reminded of it", "acknowledged", "is yours"),
        ("unack", "take that back", "open", "is nobody's again"),
        ("resolve", "say that an incident is over", "resolved", "is over"),
    ):
        parser = commands.add_parser(verb, help=text)
        _add_ids(parser)
        parser.add_argument("--note", default="", metavar="TEXT", help="kept in the timeline with it")
        add_talk(parser, house, partial(_change, _state(state), said))

    assign = commands.add_parser("assign", help="say who cares for an incident")
    assign.add_argument("id", type=number_up_to(ID_MAX), metavar="ID")
    assign.add_argument("who", metavar="WHO", help='a name; "" for nobody')
    add_talk(assign, house, _assign)
    note = commands.add_parser("note", help="write a line into the timeline of an incident")
    note.add_argument("id", type=number_up_to(ID_MAX), metavar="ID")
    note.add_argument("text", metavar="TEXT", help="- reads it from standard input")
    add_talk(note, house, _note)
    new = commands.add_parser("open", help="report a problem that no rule sees; it is told like any other")
    new.add_argument("title", metavar="TITLE")
    new.add_argument("--severity", choices=SEVERITIES, default="warning", help="warning, if not said")
    new.add_argument("--text", default="", help="more about it")
    new.add_argument(
        "--service", action="append", default=[], metavar="NAME", help="may be given several times"
    )
    add_talk(new, house, _open)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", choices=STATES, default="open", help="those that are open, if not said")
    parser.add_argument("--severity", choices=SEVERITIES, help="only those that are as grave as that")
    parser.add_argument(
        "--limit",
        type=number_up_to(10_000),
        default=PAGE,
        metavar="N",
        help=f"the newest {PAGE}, if not said",
    )


def _add_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "ids", nargs="+", type=number_up_to(ID_MAX), metavar="ID", help="the number of an incident"
    )


# --- looking ----------------------------------------------------------------------------------------------------------


def _alerts(talk: Talk, arguments: argparse.Namespace) -> int:
    query: dict[str, str | int | None] = {
        "state": arguments.state, "severity": arguments.severity, "rule": arguments.rule,
    }  # fmt: skip
    if arguments.host is not None:
        query["host"] = host_named(talk.client, arguments.host).id
    listed = talk.client.pages("/alerts", query, arguments.limit)
    if talk.for_programs:
        return talk.hand(encoded(listed))
    found = entries(listed, Alert)
    if not found:
        if arguments.rule is not None:
            _see_that_there_is_such_a_rule(talk, arguments.rule)
        talk.paper.say(
            "No such alert." if _is_narrowed(arguments) else f"No alert is open; {OVER.format('alerts')}"
        )
        return DONE
    talk.paper.table(*alert_rows(found, talk.now))
    if listed.next is not None:
        talk.paper.say("There are more; --limit shows them.")
    return DONE


def _see_that_there_is_such_a_rule(talk: Talk, name: str) -> None:
    """Refused when there is none. One that is gone may have left alerts, so only who found none is told."""
    names = [rule.name for rule in entries(talk.client.pages("/rules"), Rule)]
    if name not in names:
        raise Refused(404, "missing", f"there is no rule {name[:100]!r}{did_you_mean(name, names)}")


def _is_narrowed(arguments: argparse.Namespace) -> bool:
    return arguments.state != "open" or any(
        getattr(arguments, name, None) is not None for name in ("severity", "rule", "host")
    )


def alert_rows(alerts: Sequence[Alert], now: int) -> tuple[Cells, list[Cells], set[str]]:
    """A head, rows, and which columns are numbers."""
    rows: list[Cells] = [
        (
            str(one.incident),
            one.severity if one.state == "open" else one.state,
            words.duration(now - ms(one.since)),
            one.host_name,
            one.acknowledged_by,
            one.summary or one.rule,
        )
        for one in alerts
    ]
    return ("INCIDENT", "STATE", "SINCE", "HOST", "WHO HAS IT", "WHAT"), rows, {"INCIDENT", "SINCE"}


def _incidents(talk: Talk, arguments: argparse.Namespace) -> int:
    if arguments.id is not None:
        return _incident(talk, arguments.id)
    query = {"state": arguments.state, "severity": arguments.severity}
    listed = talk.client.pages("/incidents", query, arguments.limit)
    if talk.for_programs:
        return talk.hand(encoded(listed))
    found = entries(listed, Incident)
    if not found:
        talk.paper.say(
            "No such incident."
            if _is_narrowed(arguments)
            else f"No incident is open: all is well; {OVER.format('incidents')}"
        )
        return DONE
    talk.paper.table(*incident_rows(found, talk.now))
    if listed.next is not None:
        talk.paper.say("There are more; --limit shows them.")
    return DONE


def incident_rows(incidents: Sequence[Incident], now: int) -> tuple[Cells, list[Cells], set[str]]:
    rows: list[Cells] = [
        (
            str(one.id),
            one.severity if one.state != "resolved" else one.state,
            words.duration((now if one.resolved_at is None else ms(one.resolved_at)) - ms(one.opened_at)),
            one.assignee or one.acknowledged_by,
            one.title,
        )
        for one in incidents
    ]
    return ("INCIDENT", "STATE", "LASTS", "WHO HAS IT", "WHAT"), rows, {"INCIDENT", "LASTS"}


def _incident(talk: Talk, number: int) -> int:
    with pointing_to(ALL):
        raw = talk.client.get(f"/incidents/{number}")
    if talk.for_programs:
        return talk.hand(raw)
    details = decoded(raw, IncidentDetails)
    one, paper = details.incident, talk.paper
    paper.state(one.severity if one.state != "resolved" else one.state, f": {one.title}")
    paper.say(f"incident {one.id}, {standing(one, talk.now)}")
    for name, text in (
        ("services", ", ".join(one.services)),
        ("text", one.text),
        ("post-mortem", one.postmortem),
    ):
        if text:
            paper.say(f"{name}: {text}")
    if details.alerts:
        paper.say()
        paper.table(*alert_rows(details.alerts, talk.now))
    paper.say()
    shown = details.timeline[-TIMELINE_SHOWN:]
    if len(shown) < len(details.timeline):
        paper.say(f"{len(details.timeline) - len(shown)} lines before these are in --json")
    paper.table(
        ("WHEN", "WHAT", "WHO", ""),
        [
            (words.moment(ms(one.at)), f"{one.kind}{' (late)' if one.late else ''}", one.by, one.text)
            for one in shown
        ],
    )
    return DONE


def standing(one: Incident, now: int) -> str:
    """How it stands, and who has it."""
    said = [f"opened {words.moment(ms(one.opened_at))}"]
    if one.resolved_at is not None:
        said.append(f"over after {words.duration(ms(one.resolved_at) - ms(one.opened_at))}")
    else:
        said.append(f"for {words.duration(now - ms(one.opened_at))}")
        said.append(f"acknowledged by {one.acknowledged_by}" if one.acknowledged_by else "nobody has it")
    if one.assignee:
        said.append(f"{one.assignee} cares for it")
    if one.snoozed_until is not None and ms(one.snoozed_until) > now:
        said.append(f"put off until {words.clock(ms(one.snoozed_until), now)}")
    return ", ".join(said)


# --- saying something -------------------------------------------------------------------------------------------------


def _state(state: str) -> Change:
    return lambda arguments: {"state": state, "note": arguments.note}


def _change(change: Change, said: str, talk: Talk, arguments: argparse.Namespace) -> int:
    def one(number: int) -> None:
        _tell(talk, _patched(talk, number, change(arguments)), said)

    return several(arguments.ids, one)


def _patched(talk: Talk, number: int, change: dict[str, object]) -> bytes:
    with pointing_to(ALL):
        return talk.client.send("PATCH", f"/incidents/{number}", change)


def _assign(talk: Talk, arguments: argparse.Namespace) -> int:
    raw = _patched(talk, arguments.id, {"assignee": arguments.who})
    return _tell(talk, raw, f"is cared for by {arguments.who}" if arguments.who else "is cared for by nobody")


def _note(talk: Talk, arguments: argparse.Namespace) -> int:
    text = sys.stdin.read(NOTE_LETTERS_MAX + 1).strip() if arguments.text == "-" else arguments.text
    if not text:
        raise ValueError("the note is empty; write what is to be kept")
    with pointing_to(ALL):
        raw = talk.client.send("POST", f"/incidents/{arguments.id}/notes", {"text": text})
    return _tell(talk, raw, "has the note")


def _open(talk: Talk, arguments: argparse.Namespace) -> int:
    new = {
        "title": arguments.title, "severity": arguments.severity, "text": arguments.text, "services": arguments.service,
    }  # fmt: skip
    return _tell(talk, talk.client.send("POST", "/incidents", new), "is open")


def _tell(talk: Talk, raw: bytes, said: str) -> int:
    """Said at once, so that what was done is told also where the next one fails."""
    if talk.for_programs:
        return talk.hand(raw)
    one = decoded(raw, Incident)
    talk.paper.say(f"Incident {one.id} {said}: {one.title}")
    talk.paper.flush()
    return DONE
