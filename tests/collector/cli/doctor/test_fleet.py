"""What the doctor makes of what the store knows: decision tables of hosts, channels, connections and disks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.options import parse_yaml
from collector.cli.doctor.door import Facts
from collector.cli.doctor.fleet import _channel, _connections, _hosts
from collector.cli.doctor.folder import _speed
from collector.config import loaded_of
from collector.store import Delivery, NoticeRow
from rules.model import Host, Notice

NOW = 1_800_000_000_000
MINUTE_MS = 60_000


def host(name: str = "web", ago_ms: int | None = 0, **more: Any) -> Host:
    return Host(1, name, arrived_at=None if ago_ms is None else NOW - ago_ms, **more)


HOSTS = [
    (host(ago_ms=10_000), "", "was heard just now"),
    (host(ago_ms=4 * MINUTE_MS), "", "a few minutes of silence may be a restart"),
    (host(ago_ms=6 * MINUTE_MS), "silent: web", "is silent"),
    (host(ago_ms=6 * MINUTE_MS, every_ms=3 * MINUTE_MS), "", "has said that it comes seldom"),
    (host(ago_ms=60 * MINUTE_MS, flags=("shutdown",)), "", "has said that it stops"),
    (host(ago_ms=None), "never heard: web", "was enrolled, and that is all"),
    (host(flags=("clock",)), "their clocks are wrong: web", "has a wrong clock"),
]


@pytest.mark.parametrize(("one", "words", "why"), HOSTS, ids=[row[2] for row in HOSTS])
def test_which_hosts_are_to_be_looked_at(one: Host, words: str, why: str) -> None:
    looks = [finding.words for finding in _hosts([one], NOW) if finding.mark != "ok"]
    assert looks == ([words] if words else [])


def test_a_long_list_of_hosts_is_cut() -> None:
    many = [host(f"web-{number}", None) for number in range(9)]
    [found] = [finding for finding in _hosts(many, NOW) if finding.mark == "look"]
    assert found.words == "never heard: web-0, web-1, web-2, web-3, web-4 and 4 more"


def test_which_versions_the_agents_are_of() -> None:
    fleet = [
        host("a", facts={"agent_version": "0.1.0"}),
        host("b", facts={"agent_version": "0.2.0"}),
        host("c"),
    ]
    [said] = [finding.words for finding in _hosts(fleet, NOW) if finding.about == "agents"]
    assert said == "1 of version 0.1.0, 1 of version 0.2.0, 1 of version unknown"


def row(delivery: Delivery, tries: int, answer: str = "") -> NoticeRow:
    notice = Notice("id", 1, "mail", "first", "warning", "web", "title", "text", NOW, NOW)
    at = NOW - 7_200_000
    sent_at = at if delivery == "sent" else None
    return NoticeRow(notice, delivery, tries, tried_at=at if tries else None, sent_at=sent_at, answer=answer)


CHANNELS = [
    ([], "look", "has not carried a message yet", "was never used"),
    ([row("waiting", 0)], "look", "has not carried a message yet", "has one that waits for its time"),
    ([row("sent", 1, "250 OK")], "ok", "took its last message 2h ago: 250 OK", "took the last one"),
    ([row("failed", 3, "550 no such user")], "bad", "gave up: 550 no such user", "gave up"),
    ([row("waiting", 2, "refused"), row("sent", 1)], "bad", "is tried again: refused", "tries in vain"),
    ([row("sent", 1, "ok"), row("failed", 3)], "ok", "took its last message", "is well again"),
]


@pytest.mark.parametrize(("rows", "mark", "words", "why"), CHANNELS, ids=[line[3] for line in CHANNELS])
def test_how_a_channel_is(rows: list[NoticeRow], mark: str, words: str, why: str) -> None:
    found = _channel("mail", rows, NOW)
    assert (found.mark, words in found.words) == (mark, True)
    assert found.do == ("" if mark == "ok" else "watchkeeper notify test mail")


CONNECTIONS = [
    (4096, 1024, 100, "ok", "", "there is room"),
    (4096, 1024, 1000, "bad", "LimitNOFILE", "the process may open too few files"),
    (512, 65_536, 1000, "bad", "connections_max", "the config allows too few"),
    (512, None, 100, "ok", "", "the process could not be asked"),
]


@pytest.mark.parametrize(
    ("connections", "files", "hosts", "mark", "do", "why"), CONNECTIONS, ids=[line[5] for line in CONNECTIONS]
)
def test_room_for_the_connections_of_all_hosts(
    connections: int, files: int | None, hosts: int, mark: str, do: str, why: str
) -> None:
    section = parse_yaml(f"connections_max: {connections}", file="collector.yaml")
    [found] = _connections(hosts, loaded_of(section, Path()), Facts(files))
    assert (found.mark, do in found.do) == (mark, True)


@pytest.mark.parametrize(("sync_ms", "mark"), [(0.2, "ok"), (49, "ok"), (51, "look"), (501, "bad")])
def test_how_fast_a_disk_is(sync_ms: float, mark: str) -> None:
    assert _speed(sync_ms).mark == mark
