"""`watchkeeper top` in a real terminal, beside a real collector with real agents."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from collector.stores.sqlite import open_store
from tests.collector.cli.glass import Glass
from tests.collector.stores.builders import batch
from tests.system.harness import Collector, Stage
from tests.system.programs import wait_until

ENTER, ESCAPE, DOWN = "\r", "\x1b", "j"
RULES = [
    {
        "name": "full",
        "metric": "memory_used_pct",
        "above": 0,
        "severity": "critical",
        "where": {"role": "web"},
    }
]


@pytest.fixture
def collector(stage: Stage) -> Collector:
    """With a host that is bad by a rule, and one that is not."""
    collector = stage.collector(rules=RULES)
    collector.start()
    stage.agent("web-1", collector.add_host("web-1", "role=web")).start()
    stage.agent("db-1", collector.add_host("db-1", "role=db")).start()
    wait_until("an incident", lambda: collector.ask("SELECT * FROM incidents"))
    return collector


def top(collector: Collector, *, lines: int = 24, columns: int = 100, **variables: str) -> Glass:
    arguments = ("top", "--config", str(collector.config))
    return Glass(*arguments, lines=lines, columns=columns, variables=variables)


def test_the_worst_stands_first_and_is_acknowledged_after_a_yes(collector: Collector) -> None:
    with top(collector) as glass:
        lines = glass.shows("db-1")
        assert lines[1].startswith("critical: 1 incident")
        names = [line.split()[0] for line in lines if line.startswith(("web-1", "db-1"))]
        assert names == ["web-1", "db-1"]

        glass.press("a")
        glass.shows("Say that you have incident 1 (")
        glass.press("n")
        glass.shows("y or n", gone=True)
        assert collector.ask_one("SELECT acknowledged_at FROM incidents") is None
        glass.press("ay")
        glass.shows("incident 1 is yours")
        assert collector.ask_one("SELECT acknowledged_at FROM incidents") is not None
        glass.press("q")
        assert glass.ends() == 0


def test_an_incident_and_a_host_are_opened_and_left_again(collector: Collector) -> None:
    with top(collector) as glass:
        glass.shows("db-1")
        glass.press(ENTER)
        glass.shows("incident 1: ")
        glass.press(ESCAPE)
        glass.shows("worst first")
        glass.press("/db" + ENTER)
        glass.shows("only what holds “db”")
        glass.shows("web-1", gone=True)
        glass.press(ENTER)
        glass.shows("db-1: heard, seen ")
        glass.shows("CHECK")
        glass.press("?")
        glass.shows("q: quit")


def test_it_fits_whatever_size_the_terminal_gets(collector: Collector) -> None:
    with top(collector) as glass:
        glass.shows("db-1")
        for lines, columns in ((3, 12), (50, 200), (1, 1), (24, 80)):
            glass.resize(lines, columns)
            if lines > 1:
                glass.shows("watchkeeper")
        glass.shows("db-1")
        glass.press("q")
        assert glass.ends() == 0


def test_a_collector_that_is_gone_is_waited_for(collector: Collector) -> None:
    with top(collector, columns=160) as glass:
        glass.shows("db-1")
        collector.kill()
        lines = glass.shows("NOTHING NEW since ")
        assert "nothing listens at http://127.0.0.1:" in "\n".join(lines)
        assert any(line.startswith("db-1") for line in lines)
        collector.start()
        glass.shows("NOTHING NEW since ", gone=True)
        glass.press("\x03")
        assert glass.ends() == 0


def test_without_a_terminal_it_says_what_to_use_instead(collector: Collector) -> None:
    with Glass("top", "--config", str(collector.config), variables={"TERM": "dumb"}) as glass:
        glass.shows("top needs a terminal")
        assert glass.ends() == 2


# --- a terminal is left as it was -------------------------------------------------------------------------------------

COLOUR = re.compile(rb"\x1b\[(?:\d+;)*3[0-7](?:;\d+)*m")
ENDS = {"q": 0, "\x03": 0, signal.SIGTERM: 128 + signal.SIGTERM}


@pytest.mark.parametrize("end", ENDS, ids=["q", "Ctrl-C", "SIGTERM"])
def test_however_it_ends_the_terminal_is_as_it_was(collector: Collector, end: str | signal.Signals) -> None:
    with top(collector, TERM="xterm-256color") as glass:
        glass.shows("db-1")
        assert glass.manners != glass.as_it_was
        if isinstance(end, signal.Signals):
            glass.send(end)
        else:
            glass.press(end)
        assert glass.ends() == ENDS[end]
        assert glass.manners == glass.as_it_was
        last = bytes(glass.raw[-200:])
        assert b"\x1b[?1049l" in last, "the screen that was there before is not back"
        assert b"\x1b[?25h" in last, "the cursor is not back"


def test_there_is_no_colour_where_none_is_wanted(collector: Collector) -> None:
    for wanted in ({}, {"NO_COLOR": "1"}):
        with top(collector, TERM="xterm-256color", **wanted) as glass:
            glass.shows("db-1")
            assert bool(COLOUR.search(glass.raw)) is not bool(wanted)
            glass.press("q")
            assert glass.ends() == 0


# --- a large fleet ----------------------------------------------------------------------------------------------------

MANY = 10_000
KEY_S_MAX, KEY_BYTES_MAX, QUIET_BYTES_PER_S_MAX = 1.0, 8_000, 2_000
"""A machine with nothing else to do takes a twentieth of the time."""


@pytest.fixture
def large(stage: Stage) -> Collector:
    """With so many hosts, each of which was heard a moment ago."""
    collector = stage.collector()
    fill(collector.database)
    collector.start()
    return collector


def fill(database: Path) -> None:
    """Straight into the file: to enrol so many in the usual way takes a minute."""

    async def push() -> None:
        store = await open_store(database.parent, role="collector")
        with contextlib.closing(sqlite3.connect(database)) as connection:
            rows = [(f"web-{n:05}", '{"role":"web","site":"fra"}') for n in range(1, MANY + 1)]
            connection.executemany("INSERT INTO hosts (name, labels, enrolled_at) VALUES (?, ?, 0)", rows)
            connection.commit()
        now = time.time_ns() // 1_000_000
        samples = {"memory_used_pct": 40.0, 'disk_used_pct{mount="/"}': 30.0, "load1": 0.5}
        for first in range(1, MANY + 1, 1_000):
            heard = [
                batch(host, now, {**samples, "cpu_used_pct": host % 97}, seq=1, every_ms=600_000)
                for host in range(first, first + 1_000)
            ]
            await store.commit(heard)
        await store.close()

    asyncio.run(push())


def test_ten_thousand_hosts_leave_it_as_quick_as_one(large: Collector) -> None:
    with top(large, lines=50, columns=160) as glass:
        assert glass.shows("web-00096")[2].startswith("HOST")
        glass.read_for(1.0)
        took, sent = [], []
        for key, then in (("n", "by name"), ("c", "by cpu"), ("/", "/_"), ("9", "/9_"), ("7", "/97_")):
            began, before = time.monotonic(), len(glass.raw)
            glass.press(key)
            glass.shows(then)
            took.append(time.monotonic() - began)
            sent.append(len(glass.raw) - before)
        assert max(took) < KEY_S_MAX, took
        assert max(sent) < KEY_BYTES_MAX, sent
        glass.press(ESCAPE)
        assert glass.read_for(5.0) / 5 < QUIET_BYTES_PER_S_MAX
        glass.resize(10, 40)
        glass.shows("watchkeeper")
        glass.press("q")
        assert glass.ends() == 0
    print(f"a key takes {max(took) * 1000:.0f} ms at most, and {max(sent)} bytes")
