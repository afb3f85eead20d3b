"""`watchkeeper hosts` and `watchkeeper host NAME`: which hosts there are, and how one of them is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from collector.cli import Commands, House, number_up_to
from collector.cli.close import did_you_mean
from collector.cli.labels import labels_in_words
from collector.cli.remote.answers import Alert, Check, FleetValues, Host, HostDetails, Latest, ms
from collector.cli.remote.client import Client, Refused, decoded, encoded, entries
from collector.cli.remote.command import DONE, Talk, add_talk
from collector.cli.remote.paper import Cells, ago, share
from rules import words
from rules.fleet.state import OF_HOSTS
from rules.model import Series

METRICS = {"CPU": "cpu_used_pct", "MEMORY": "memory_used_pct", "DISK": "disk_used_pct", "LOAD": "load1"}
STATES = {"never" if state == "never_heard" else state: state for state in OF_HOSTS}
HOSTS_MAX = 20_000
VALUES_MAX = 5_000
SHOW = "show"
CHECK_STATE = "check_state"
TO_ADD_ONE = "add one, where the collector runs: watchkeeper join-command"

Readings = Mapping[str, Mapping[int, float]]
"""Of each metric, what it is on each host; the highest, where a host has several."""


def add_to(commands: Commands, house: House) -> None:
    hosts = commands.add_parser("hosts", help="which hosts there are, and how they are")
    hosts.add_argument(
        "text", nargs="?", default="", metavar="TEXT", help="only those whose name or labels hold it"
    )
    hosts.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="all that are given must fit"
    )
    hosts.add_argument("--state", choices=STATES, help="only those that stand so")
    hosts.add_argument("--sort", choices=("name", *map(str.lower, METRICS), "alerts"), default="name")
    hosts.add_argument("--limit", type=number_up_to(HOSTS_MAX), default=HOSTS_MAX, metavar="N")
    add_talk(hosts, house, _hosts, watch=True)


def add_show_to(verbs: Commands, house: House) -> None:
    """Beside the commands that change a host."""
    show = verbs.add_parser(SHOW, help="how a host is; `show` itself may be left out")
    show.add_argument("name", metavar="NAME")
    add_talk(show, house, _host, watch=True)


# --- all of them ------------------------------------------------------------------------------------------------------


def _hosts(talk: Talk, arguments: argparse.Namespace) -> int:
    query = {
        "q": arguments.text, "label": arguments.label, "state": STATES.get(arguments.state), "service": "false",
        "sort": "-alerts" if arguments.sort == "alerts" else "name",
    }  # fmt: skip
    by_metric = arguments.sort not in ("name", "alerts")
    listed = talk.client.pages("/hosts", query, HOSTS_MAX if by_metric else arguments.limit)
    if talk.for_programs:
        return talk.hand(encoded(listed))
    hosts, found = entries(listed, Host), readings(talk.client)
    if not hosts:
        narrowed = arguments.text or arguments.label or arguments.state
        talk.paper.say("No such host." if narrowed else f"No host yet; {TO_ADD_ONE}")
        return DONE
    if by_metric:
        values = found[METRICS[arguments.sort.upper()]]
        hosts.sort(key=lambda host: -values.get(host.id, -1.0))
    talk.paper.table(*host_rows(hosts[: arguments.limit], found, talk.now))
    return DONE


def readings(client: Client) -> dict[str, dict[int, float]]:
    """The columns of hosts, as they are now; of a fleet with more than VALUES_MAX series of a metric the highest.
    Unreachable, Refused."""
    found: dict[str, dict[int, float]] = {}
    for metric in METRICS.values():
        highest = found[metric] = {}
        for one in decoded(
            client.get("/series/latest", {"metric": metric, "limit": VALUES_MAX}), FleetValues
        ).values:
            if one.value is not None:
                highest[one.host] = max(one.value, highest.get(one.host, one.value))
    return found


def host_rows(hosts: Sequence[Host], found: Readings, now: int) -> tuple[Cells, list[Cells], set[str]]:
    cpu, memory, disk, load = (found[metric] for metric in METRICS.values())
    rows: list[Cells] = [
        (
            host.name,
            state_word(host),
            share(cpu.get(host.id)),
            share(memory.get(host.id)),
            share(disk.get(host.id)),
            "" if (value := load.get(host.id)) is None else f"{value:.2f}",
            str(host.open_alerts or ""),
            ago(None if host.heard_at is None else ms(host.heard_at), now),
            labels_in_words(host.labels),
        )
        for host in hosts
    ]
    head = ("HOST", "STATE", *METRICS, "ALERTS", "SEEN", "LABELS")
    return head, rows, {*METRICS, "ALERTS", "SEEN"}


def state_word(host: Host) -> str:
    return "never" if host.state == "never_heard" else host.state


# --- one --------------------------------------------------------------------------------------------------------------


def host_named(client: Client, name: str) -> Host:
    """Refused when there is none of that name, with those that may have been meant."""
    hosts = entries(client.pages("/hosts", {"q": name, "service": "false"}), Host)
    for host in hosts:
        if host.name == name:
            return host
    if not hosts:  # mistyped: then any may be meant
        hosts = entries(client.pages("/hosts", {"service": "false"}, HOSTS_MAX), Host)
    meant = did_you_mean(name, (host.name for host in hosts)) or "; see: watchkeeper hosts"
    raise Refused(404, "missing", f"there is no host {name[:100]!r}{meant}")


def _host(talk: Talk, arguments: argparse.Namespace) -> int:
    host = host_named(talk.client, arguments.name)
    raw = talk.client.get(f"/hosts/{host.id}")
    if talk.for_programs:
        return talk.hand(raw)
    details = decoded(raw, HostDetails)
    checks = decoded(talk.client.get(f"/hosts/{host.id}/checks"), list[Check])
    latest = decoded(talk.client.get(f"/hosts/{host.id}/latest"), Latest)
    alerts = entries(talk.client.pages("/alerts", {"host": host.id}), Alert)
    _show(talk, details, checks, latest, alerts)
    return DONE


def _show(talk: Talk, details: HostDetails, checks: list[Check], latest: Latest, alerts: list[Alert]) -> None:
    host, paper = details.host, talk.paper
    paper.state(
        state_word(host),
        f": {host.name}, seen {ago(None if host.heard_at is None else ms(host.heard_at), talk.now)}",
    )
    for name, text in (
        ("labels", labels_in_words(host.labels)),
        ("flags", " ".join(host.flags)),
        ("facts", _facts(details.facts)),
    ):
        if text:
            paper.say(f"{name}: {text}")
    if alerts:
        paper.say()
        rows = [_alert_row(one, talk.now) for one in alerts]
        paper.table(("INCIDENT", "STATE", "SINCE", "WHAT"), rows, {"INCIDENT", "SINCE"})
    if checks:
        paper.say()
        rows = [_check_row(one, talk.now) for one in checks]
        paper.table(("CHECK", "KIND", "STATE", "TOOK", "SINCE", ""), rows, {"TOOK", "SINCE"})
    if rows := value_rows(latest.values):
        paper.say()
        paper.table(("SERIES", "NOW"), rows, {"NOW"})


def _alert_row(one: Alert, now: int) -> Cells:
    return str(one.incident), one.severity, words.duration(now - ms(one.since)), one.summary or one.rule


def _check_row(one: Check, now: int) -> Cells:
    took = "" if one.ms is None else f"{one.ms:.0f} ms"
    return one.id, one.kind, one.state, took, ago(ms(one.at), now), one.detail


def _facts(facts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in sorted(facts.items()))


def value_rows(values: Mapping[str, float | None]) -> list[Cells]:
    """Every series with its unit; how checks stand is told by themselves."""
    rows: list[Cells] = []
    for name, value in sorted(values.items()):
        try:
            metric = Series.parse(name).metric
        except ValueError:
            metric = name
        if metric != CHECK_STATE:
            rows.append((name, words.reading(metric, value)))
    return rows
