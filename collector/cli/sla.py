"""`watchkeeper sla`: what is promised and how it stands, and a report of a month for whoever has to believe it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from collector.cli import Commands, House
from collector.cli.remote.answers import Sla, Standing
from collector.cli.remote.client import as_json, decoded
from collector.cli.remote.command import DONE, Talk, talk_to
from collector.cli.remote.place import add_place, is_elsewhere
from collector.cli.tables import table
from rules.sla.model import SPANS
from rules.sla.paper import as_csv, as_html
from rules.sla.report import Report
from rules.sla.words import percent, share, span_in_words

HEAD = ("SERVICE", "NOW", "AVAILABLE", "PROMISED", "DOWN", "OUTAGES", "LONGEST", "LEFT", "OVER")
NUMBERS = {"AVAILABLE", "PROMISED", "DOWN", "OUTAGES", "LONGEST", "LEFT"}


def add_to(commands: Commands, house: House) -> None:
    sla = commands.add_parser("sla", help="what is promised of services, and how it stands")
    sla.add_argument("--window", choices=SPANS, help="instead of what each service is promised over")
    sla.add_argument("--json", action="store_true", help="for programs")
    add_place(sla)
    sla.set_defaults(command=partial(_show, house))
    report = sla.add_subparsers(metavar="COMMAND").add_parser(
        "report", help="a month of one service: every second, every outage, what does not count"
    )
    report.add_argument("service")
    report.add_argument("--month", required=True, metavar="YYYY-MM")
    report.add_argument("--html", type=Path, metavar="FILE", help="write it as a page to print")
    report.add_argument("--csv", type=Path, metavar="FILE", help="write it as a table, a row per interval")
    # Without a default of its own, so that what was said before the word `report` stays.
    report.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE")
    report.set_defaults(command=partial(_report, house))


def _show(house: House, arguments: argparse.Namespace) -> int:
    """Of this machine's collector the store is read, so that none need run; another one is asked."""
    if is_elsewhere(arguments, os.environ):
        return talk_to(house, _ask, arguments)
    loaded = house.load(arguments.config)

    async def show() -> int:
        async with house.store(loaded) as store:
            raw = await house.sla(store, loaded, arguments.window)
        print(as_json(raw) if arguments.json else "\n".join(shown(decoded(raw, Sla).services)))
        return 0

    return house.run(show())


def _ask(talk: Talk, arguments: argparse.Namespace) -> int:
    raw = talk.client.get("/sla", {"window": arguments.window})
    found = decoded(raw, Sla)
    if talk.for_programs:
        return talk.hand(raw)
    for line in shown(found.services):
        talk.paper.say(line)
    return DONE


def _report(house: House, arguments: argparse.Namespace) -> int:
    if is_elsewhere(arguments, os.environ):
        raise ValueError(
            "a report is written where the store is, with every interval in it: run it there, or ask that collector's "
            "API for services/NAME/report"
        )
    loaded = house.load(arguments.config)

    async def report() -> int:
        async with house.store(loaded) as store:
            accounts = house.accounts(store, loaded)
            found = await accounts.report(arguments.service, arguments.month, house.now_ms())
        if arguments.html is not None:
            arguments.html.write_text(as_html(found))
        if arguments.csv is not None:
            arguments.csv.write_text(as_csv(found), newline="")
        if arguments.html is None and arguments.csv is None:
            print("\n".join(told(found)))
        return 0

    return house.run(report())


def shown(standings: Sequence[Standing]) -> list[str]:
    """A line for each service, then what it comes to in a sentence."""
    if not standings:
        return ["No service yet: make one on the page of services, or under `services:` in the config."]
    rows = [_row(one) for one in standings]
    return [*table(HEAD, rows, NUMBERS), "", *(f"{one.service}: {one.sentence}" for one in standings)]


def _row(one: Standing) -> tuple[str, ...]:
    return (
        one.service,
        one.state,
        "-" if one.availability_pct is None else share(one.availability_pct),
        "-" if one.objective_pct is None else percent(one.objective_pct),
        span_in_words(one.downtime_ms),
        str(one.outages),
        "-" if one.longest_outage_ms is None else span_in_words(one.longest_outage_ms),
        "-" if one.budget is None else _left(one.budget.left_ms),
        one.period,
    )


def _left(ms: int) -> str:
    return span_in_words(ms) if ms >= 0 else f"-{span_in_words(-ms)}"


def told(report: Report) -> list[str]:
    """A report for a terminal."""
    lines = [f"{report.title}, {report.period}", report.sentence, report.accounts]
    for outage in report.outages:
        about = f" (incident {outage.incident})" if outage.incident is not None else ""
        lines.append(f"down for {span_in_words(outage.ms)}: {outage.cause}{about}")
    lines += [f"{one.state} for {span_in_words(one.ms)}, not counted: {one.cause}" for one in report.excluded]
    return lines
