"""`watchkeeper rules test FILE`: stories about hosts, and what the rules must make of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from agent.options import Node, convert, read_yaml
from collector.cli import Commands, House
from collector.cli.rules import notation
from collector.cli.rules.telling import PlayedBatch, Teller, WantedAlert, WantedNotice
from collector.config import find_rules
from collector.config.definitions import read_definitions
from collector.config.policy import policy_of, see_that_it_is_sound
from rules.fleet.gathering import is_about_many
from rules.fleet.presence import RULE as AT_ONCE
from rules.fleet.shared import SharedCheck
from rules.judging.engine import Rule
from rules.model import Series, Severity
from rules.policy import Maintenance, Policy, Rotation, Route
from rules.policy.routes import When
from rules.sla.model import ServiceOptions


class PlayedHost(Struct, kw_only=True, frozen=True):
    """A host of a story.

    labels: its labels
    every: how often it sends a batch, where that differs from the story's
    series: the values of each series, batch by batch
    cut_off: from when to when, after the start, it cannot deliver; what it kept comes then, behind its newest batch
    """

    name: str
    labels: dict[str, str] = {}
    every_ms: Annotated[int, Meta(ge=1_000)] | None = None
    series: dict[str, str]
    cut_off_s: Annotated[list[float], Meta(min_length=2, max_length=2)] | None = None

    def __post_init__(self) -> None:
        if self.cut_off_s and self.cut_off_s[0] >= self.cut_off_s[1]:
            raise ValueError("cut_off must end after it begins, as in [2m, 10m]")

    def arrives_at(self, at: int, start: int) -> int:
        """When a batch that is sampled at `at` comes in."""
        if self.cut_off_s is None:
            return at
        since, until = (start + round(seconds * 1000) for seconds in self.cut_off_s)
        return until + 1 if since <= at < until else at


class Expected(Struct, kw_only=True, frozen=True):
    """What must be so at a time; what is left out may be as it likes.

    at: how long after the start
    alerts: all that are open then
    notices: all that were owed since the time before
    """

    at_s: float
    alerts: list[WantedAlert] | None = None
    notices: list[WantedNotice] | None = None


class Story(Struct, kw_only=True, frozen=True):
    """One test.

    start: when the first batch is sampled
    every: how often hosts send a batch
    channels: whom there is to tell, and from which severity on
    """

    name: str
    start: str = "2026-01-05T10:00:00Z"
    every_ms: Annotated[int, Meta(ge=1_000)] = 10_000
    channels: dict[str, Severity] = field(default_factory=lambda: {"mail": "warning"})
    hosts: Annotated[list[PlayedHost], Meta(min_length=1, max_length=1_000)]
    expect: Annotated[list[Expected], Meta(min_length=1)]


class StoryFile(Struct, kw_only=True, frozen=True):
    """A file of stories.

    packs: rules that come with Watchkeeper
    rules: files of rules, relative to this file's folder
    zone: the time zone of all times of the day that name none; these six are as in the collector's config
    routes: which problems go to which channels
    quiet_hours: when what is not critical waits
    on_call: channels that take turns
    maintenance: times in which nobody is told
    services: what is promised to others, for routes by service
    checks: what several hosts check together, of which `id`, `from`, `about` and `need` count here
    """

    packs: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    zone: str = "UTC"
    routes: list[Route] = []
    quiet_hours: When = ()
    on_call: list[Rotation] = []
    maintenance: list[Maintenance] = []
    services: list[ServiceOptions] = []
    checks: list[dict[str, Any]] = []
    tests: list[Story]


def add_to(commands: Commands, house: House) -> None:
    test = commands.add_parser(
        "test",
        help="tell stories to the rules and see whether they say what they should",
        description="Ends with 1 when a story does not end as expected, with 2 when a file has a mistake.",
    )
    test.add_argument("files", nargs="+", type=Path, metavar="FILE")
    test.set_defaults(command=partial(_test, house))


def _test(_: House, arguments: argparse.Namespace) -> int:
    failed = 0
    for file in arguments.files:
        for name, line, faults in run(file):
            print(f"{'FAIL' if faults else 'ok'}  {name}  ({file}:{line})")
            for fault in faults:
                print(f"    {fault}")
            failed += bool(faults)
    return 1 if failed else 0


def run(file: Path) -> list[tuple[str, int, list[str]]]:
    """Of each story of a file its name, its line, and what was not as expected. Raises ConfigError."""
    root = read_yaml(file)
    content = convert(root, StoryFile)
    see_that_it_is_sound(content, {name for story in content.tests for name in story.channels}, root)
    written = find_rules(content.packs, content.rules, file.parent, root)
    rules = [one.rule for one in written if one.rule.enabled]
    if not rules:
        raise root.error("names no rules; give packs: [hosts] or rules: [FILE]")
    definitions = read_definitions(root.get("checks")) if content.checks else []
    shared = [one.shared for one in definitions if one.shared is not None]
    nodes = root.get("tests").items()
    return [
        (story.name, node.line or 1, _play(story, node, rules, policy_of(content), shared))
        for story, node in zip(content.tests, nodes, strict=True)
    ]


def _play(
    story: Story, node: Node, rules: Sequence[Rule], policy: Policy, shared: Sequence[SharedCheck]
) -> list[str]:
    start = _start(story, node)
    names = [host.name for host in story.hosts]
    if len(set(names)) < len(names):
        raise node.get("hosts").error("two hosts have the same name; rename one")
    _refuse_unknown(story, node, {rule.name for rule in rules})
    hosts = [(host.name, host.labels) for host in story.hosts]
    teller = Teller(rules, story.channels, hosts, start, policy, shared)
    batches = _batches(story, node, start)
    faults: list[str] = []
    played = 0
    for expected in story.expect:
        until = start + round(expected.at_s * 1000)
        while played < len(batches) and batches[played].arrived_at <= until:
            teller.batch(batches[played])
            played += 1
        faults += teller.compare(until, expected.at_s, expected.alerts, expected.notices)
    return faults


def _batches(story: Story, node: Node, start: int) -> list[PlayedBatch]:
    """All that the hosts of a story send, in the order in which it arrives."""
    batches: list[PlayedBatch] = []
    for number, (host, written) in enumerate(zip(story.hosts, node.get("hosts").items(), strict=True), 1):
        every_ms = host.every_ms or story.every_ms
        series = _series(host, written, every_ms)
        for place in range(max(map(len, series.values()), default=0)):
            values = {name: row[place] for name, row in series.items() if place < len(row)}
            there = {name: value for name, value in values.items() if value is not notation.MISSING}
            if there:
                at = start + place * every_ms
                batches.append(PlayedBatch(host.arrives_at(at, start), at, number, every_ms, there))
    return sorted(batches, key=lambda batch: (batch.arrived_at, batch.at, batch.host))


def _start(story: Story, node: Node) -> int:
    try:
        start = datetime.fromisoformat(story.start)
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise node.get("start").error(
            f'"{story.start:.60}" is no time; write one such as 2026-01-05T10:00:00Z'
        )
    return round(start.timestamp() * 1000)


def _refuse_unknown(story: Story, node: Node, rules: set[str]) -> None:
    """A slip in a name must not look like an alert that did not come; nor may time run backwards."""
    hosts, before_s = {host.name for host in story.hosts}, 0.0
    for expected, written in zip(story.expect, node.get("expect").items(), strict=True):
        if expected.at_s < before_s:
            raise written.get("at").error("lies before the one above it; put them in the order of time")
        before_s = expected.at_s
        for alert, one in zip(
            expected.alerts or (), written.get("alerts").items() if expected.alerts else (), strict=True
        ):
            if alert.rule not in rules | {AT_ONCE}:
                raise one.get("rule").error(
                    f'there is no rule "{alert.rule:.100}" in the files that are named'
                )
            if alert.host not in hosts and not is_about_many(alert.host):
                raise one.get("host").error(f'there is no host "{alert.host:.100}" in this story')


def _series(host: PlayedHost, node: Node, every_ms: int) -> dict[str, list[notation.Value]]:
    series = {}
    for name, node_of_values in node.get("series").entries().items():
        try:
            Series.parse(name)
            series[name] = notation.expanded(host.series[name], every_ms)
        except ValueError as mistake:
            raise node_of_values.error(str(mistake)) from None
    return series
