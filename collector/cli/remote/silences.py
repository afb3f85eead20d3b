"""`watchkeeper silence` and `watchkeeper maintenance`: of which problems nobody is to be told for a while."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, get_args

from collector.cli import Commands, House, number_up_to
from collector.cli.labels import parse_labels
from collector.cli.remote.answers import Maintenance, Matching, Numbered, Silence, ms
from collector.cli.remote.client import Refused, decoded, encoded, entries
from collector.cli.remote.command import DONE, Talk, add_talk, complain, pointing_to, several
from collector.cli.remote.hosts import host_named
from collector.cli.remote.paper import Cells
from rules import words
from rules.model import Severity

ID_MAX = 2**53 - 1
TO_SILENCE = "To make one: watchkeeper silence add --host NAME --for 2h"
TO_PLAN = "To plan: watchkeeper maintenance add NAME --when TIME --host NAME"
STATES = ("waiting", "active", "over")


def add_to(commands: Commands, house: House) -> None:
    silence = commands.add_parser(
        "silence", help="have nobody told of some problems for a while"
    ).add_subparsers(required=True, metavar="COMMAND")
    add = silence.add_parser("add", help="from now on, or from --start")
    _add_matching(add)
    end = add.add_mutually_exclusive_group(required=True)
    end.add_argument("--for", dest="lasts", metavar="TIME", help="how long: 2h")
    end.add_argument("--until", metavar="WHEN", help="or its end: 2026-11-20T14:00:00Z")
    add.add_argument("--start", metavar="WHEN", help="now, if not said")
    add.add_argument("--comment", default="", metavar="TEXT", help="why")
    add.add_argument("--everything", action="store_true", help="of nothing at all is anybody told")
    add_talk(add, house, _silence)
    listing = silence.add_parser("list", help="those that are not over")
    listing.add_argument("--state", choices=STATES, help="only those that stand so")
    add_talk(listing, house, _silences, watch=True)
    stop = silence.add_parser("end", help="end a silence now")
    stop.add_argument("ids", nargs="+", type=number_up_to(ID_MAX), metavar="ID")
    add_talk(stop, house, _end)

    plans = commands.add_parser("maintenance", help="times in which work is done").add_subparsers(
        required=True, metavar="COMMAND"
    )
    plan = plans.add_parser("add", help="plan one, once or again and again")
    plan.add_argument("name", metavar="NAME")
    plan.add_argument(
        "--when",
        action="append",
        required=True,
        metavar="TIME",
        help='"Saturday 22:00 to Sunday 06:00"; several',
    )
    _add_matching(plan)
    add_talk(plan, house, _plan)
    add_talk(plans.add_parser("list", help="what is planned, besides what the config holds"), house, _plans)
    drop = plans.add_parser("remove", help="take a plan back")
    drop.add_argument("ids", nargs="+", type=number_up_to(ID_MAX), metavar="ID")
    add_talk(drop, house, _drop)


def _add_matching(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("of which problems (all that is given must fit; * stands for anything)")
    group.add_argument(
        "--host", action="append", default=[], metavar="NAME", help="about this host; several may be named"
    )
    group.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="about hosts with this label"
    )
    for option in ("rule", "category", "service"):
        group.add_argument(f"--{option}", action="append", default=[], metavar="NAME")
    group.add_argument(
        "--subject", default="", metavar="SUBJECT", help="such as host:7/series:disk_used_pct*"
    )
    group.add_argument(
        "--from-severity", choices=get_args(Severity), default="info", help="as grave as that, or graver"
    )


def _matching(arguments: argparse.Namespace) -> dict[str, Any]:
    """As the API takes it. ValueError for a label that is none."""
    where: dict[str, Any] = dict(parse_labels(arguments.label))
    if arguments.host:
        where["host"] = arguments.host
    return {
        "where": where,
        "rules": arguments.rule,
        "categories": arguments.category,
        "services": arguments.service,
        "subject": arguments.subject,
        "from_severity": arguments.from_severity,
    }


# --- silences ---------------------------------------------------------------------------------------------------------


def _silence(talk: Talk, arguments: argparse.Namespace) -> int:
    given = {"start": arguments.start, "end": arguments.until, "for": arguments.lasts}
    new = {
        **_matching(arguments),
        **{key: text for key, text in given.items() if text is not None},
        "comment": arguments.comment,
        "everything": arguments.everything,
    }
    _warn_of_unknown_hosts(talk, arguments.host)
    raw = talk.client.send("POST", "/silences", new)
    if talk.for_programs:
        return talk.hand(raw)
    one = decoded(raw, Silence)
    talk.paper.say(
        f"Silence {one.id} until {words.clock(ms(one.end), talk.now)}: nobody is told of {about(one.matching)}."
    )
    return DONE


def _silences(talk: Talk, arguments: argparse.Namespace) -> int:
    listed = talk.client.pages("/silences", {"state": arguments.state})
    if talk.for_programs:
        return talk.hand(encoded(listed))
    found = [one for one in entries(listed, Silence) if arguments.state or one.state != "over"]
    if not found:
        talk.paper.say(
            f"No silence: whoever is to be told, is. {TO_SILENCE}"
            if arguments.state is None
            else "No such silence."
        )
        return DONE
    talk.paper.table(
        ("SILENCE", "STATE", "FROM", "UNTIL", "BY", "ABOUT", "WHY"),
        [
            (
                str(one.id), one.state, words.clock(ms(one.start), talk.now), words.clock(ms(one.end), talk.now),
                one.by, about(one.matching), one.comment,
            )
            for one in found
        ],
        {"SILENCE"},
    )  # fmt: skip
    return DONE


def _end(talk: Talk, arguments: argparse.Namespace) -> int:
    return _take_back(talk, "silences", "silence list", arguments.ids, "Silence {} is over.")


# --- maintenance ------------------------------------------------------------------------------------------------------


def _plan(talk: Talk, arguments: argparse.Namespace) -> int:
    _warn_of_unknown_hosts(talk, arguments.host)
    raw = talk.client.send(
        "POST", "/maintenance", {**_matching(arguments), "name": arguments.name, "when": arguments.when}
    )
    if talk.for_programs:
        return talk.hand(raw)
    one = decoded(raw, Maintenance)
    talk.paper.say(
        f"Maintenance {one.id}, {one.name}: {_times(one)}; nobody is told then of {about(one.matching)}."
    )
    return DONE


def _plans(talk: Talk, arguments: argparse.Namespace) -> int:
    listed = talk.client.pages("/maintenance")
    if talk.for_programs:
        return talk.hand(encoded(listed))
    found = entries(listed, Maintenance)
    if not found:
        talk.paper.say(f"Nothing is planned, besides what the config holds. {TO_PLAN}")
        return DONE
    rows: list[Cells] = [(str(one.id), one.name, _times(one), one.by, about(one.matching)) for one in found]
    talk.paper.table(("MAINTENANCE", "NAME", "WHEN", "BY", "ABOUT"), rows, {"MAINTENANCE"})
    return DONE


def _drop(talk: Talk, arguments: argparse.Namespace) -> int:
    return _take_back(talk, "maintenance", "maintenance list", arguments.ids, "Maintenance {} is taken back.")


def _times(one: Maintenance) -> str:
    return one.when if isinstance(one.when, str) else "; ".join(one.when)


# --- both -------------------------------------------------------------------------------------------------------------


def _warn_of_unknown_hosts(talk: Talk, names: Sequence[str]) -> None:
    """A host may be named before it comes; one that is mistyped goes on waking people."""
    for name in names:
        if "*" in name:
            continue
        try:
            host_named(talk.client, name)
        except Refused as refused:
            if refused.status == 404:
                complain(f"{refused}\nIt is done all the same, for a host that is to come.")


def _take_back(talk: Talk, what: str, listing: str, numbers: Sequence[int], said: str) -> int:
    def one(number: int) -> None:
        with pointing_to(listing):
            raw = talk.client.send("DELETE", f"/{what}/{number}")
        if talk.for_programs:
            talk.hand(raw)
        else:
            talk.paper.say(said.format(decoded(raw, Numbered).id))
            talk.paper.flush()

    return several(numbers, one)


def about(matching: Matching) -> str:
    """What it is about: hosts with role=web, rule cpu-*, from critical on."""
    said = []
    labels = [f"{name}={_either(value)}" for name, value in sorted(matching.where.items())]
    if labels:
        said.append(f"hosts with {' '.join(labels)}")
    for noun, patterns in (
        ("rule", matching.rules),
        ("category", matching.categories),
        ("service", matching.services),
    ):
        if patterns:
            said.append(f"{noun} {_either(patterns)}")
    if matching.subject:
        said.append(matching.subject)
    if matching.from_severity != "info":
        said.append(f"from {matching.from_severity} on")
    return ", ".join(said) or "everything"


def _either(patterns: str | Sequence[str]) -> str:
    return patterns if isinstance(patterns, str) else " or ".join(patterns)
