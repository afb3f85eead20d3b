"""`watchkeeper status`: how the fleet is, in a few lines and in an exit code."""

from __future__ import annotations

import argparse

from collector.cli import Commands, House
from collector.cli.remote.answers import Dashboard, Health, Measure
from collector.cli.remote.client import decoded
from collector.cli.remote.command import Talk, add_talk
from collector.cli.remote.hosts import TO_ADD_ONE
from collector.cli.remote.incidents import incident_rows
from collector.cli.remote.paper import Paper
from rules import words

CODES = {"ok": 0, "info": 0, "warning": 1, "critical": 2, "unknown": 3}
MEASURES = (
    "cpu",
    "memory",
    "disk",
    "network_latency",
    "response_time",
    "active_connections",
    "error_rate",
    "throughput",
)


def add_to(commands: Commands, house: House) -> None:
    status = commands.add_parser(
        "status",
        help="how the fleet is; the exit code says it, too",
        description="Ends as monitoring plugins do: 0 well, 1 warning, 2 critical, by the gravest incident that is "
        "open (3: no host is heard, or no collector answers). 2 is a mistake in arguments or config as well.",
    )
    add_talk(status, house, _status, watch=True)


def _status(talk: Talk, arguments: argparse.Namespace) -> int:
    raw = talk.client.get("/health/dashboard")
    found = decoded(raw, Dashboard)
    if talk.for_programs:
        talk.hand(raw)
        return CODES[found.health.status]
    _show(talk.paper, found, talk.now)
    return CODES[found.health.status]


def _show(paper: Paper, found: Dashboard, now: int) -> None:
    health = found.health
    paper.state(health.status, f": {in_a_sentence(health)}")
    if found.incidents:
        paper.say()
        paper.table(*incident_rows(found.incidents, now))
        if (more := health.open_incidents - len(found.incidents)) > 0:
            paper.say(f"and {more} more: watchkeeper incidents")
    rows = [(name.replace("_", " "), *_columns(getattr(health, name))) for name in MEASURES]
    if shown := [row for row in rows if row[1]]:
        paper.say()
        paper.table(("OVER THE FLEET", "MEAN", "HIGHEST", "WHERE"), shown, {"MEAN", "HIGHEST"})


def in_a_sentence(health: Health) -> str:
    """2 incidents and 3 alerts are open; 12 of 14 hosts are heard, 1 silent, 1 never heard"""
    total = sum(health.hosts.values())
    if not total:
        return f"no host yet; {TO_ADD_ONE}"
    rest = [
        f"{count} {state.replace('_', ' ')}"
        for state, count in health.hosts.items()
        if count and state != "heard"
    ]
    heard = f"{health.hosts.get('heard', 0)} of {total} hosts heard"
    wrong = f"{_count(health.open_incidents, 'incident')} and {_count(health.open_alerts, 'alert')} open"
    return f"{wrong}; {', '.join([heard, *rest])}"


def _count(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _columns(measure: Measure) -> tuple[str, str, str]:
    """Empty where nothing measures it."""
    return _value(measure.value, measure.unit), _value(measure.highest, measure.unit), measure.where


def _value(value: float | None, unit: str) -> str:
    return "" if value is None else f"{words.number(round(value, 2))} {unit}".strip()
