"""Batches that are not packed yet: found by host and time, and written where those of all hosts are written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.stores.sqlite import fresh, open_store
from collector.stores.sqlite.fresh import SPAN_MS, of_a_host, spans
from collector.stores.sqlite.sealing import WITH_WORK

HOSTS = 200
PER_HOST = 300
EVERY_MS = 10_000
RANGE = f"{spans('?2', '?3')} SELECT at, id {of_a_host('?1')} WHERE at >= ?2 AND at < ?3 ORDER BY at, id"
ALL = f"{spans()} SELECT at, id {of_a_host('?1')} ORDER BY at, id"
TIMES = st.integers(0, 8 * SPAN_MS) | st.integers(0, 2**53)


@contextmanager
def table(batches: list[tuple[int, int]]) -> Iterator[sqlite3.Connection]:
    """Of hosts and times alone."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE batches (id INTEGER PRIMARY KEY, host INTEGER, at INTEGER)")
        connection.execute(fresh.STEP[1])
        connection.executemany("INSERT INTO batches (host, at) VALUES (?, ?)", batches)
        yield connection


@given(
    batches=st.lists(st.tuples(st.integers(1, 3), TIMES), max_size=30),
    start=TIMES | st.just(0),
    end=TIMES | st.just(2**62),
)
def test_a_hosts_batches_of_a_range_are_those_that_the_whole_table_has_of_it(
    batches: list[tuple[int, int]], start: int, end: int
) -> None:
    of_host_2 = sorted((at, number) for number, (host, at) in enumerate(batches, start=1) if host == 2)
    with table(batches) as connection:
        within = [(at, number) for at, number in of_host_2 if start <= at < end]
        assert connection.execute(RANGE, [2, start, end]).fetchall() == within
        assert connection.execute(ALL, [2]).fetchall() == of_host_2
        oldest = min((at for _, at in batches), default=None)
        assert connection.execute(fresh.OLDEST).fetchone() == (oldest,)


@pytest.mark.parametrize("span", [0, 7])
def test_the_last_moment_of_a_range_is_not_in_it_and_the_first_is(span: int) -> None:
    edge = span * SPAN_MS
    with table([(1, edge), (1, edge + SPAN_MS - 1), (1, edge + SPAN_MS)]) as connection:
        found = connection.execute(RANGE, [1, edge, edge + SPAN_MS]).fetchall()
        assert [at for at, _ in found] == [edge, edge + SPAN_MS - 1]
        assert connection.execute(RANGE, [1, edge, edge]).fetchall() == []


def pages_of_a_commit(connection: sqlite3.Connection, tick: int) -> int:
    """How many pages of the log one batch of each host took."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows = [(host, tick * EVERY_MS + host) for host in range(HOSTS)]
    connection.executemany(
        "INSERT INTO batches (host, at, arrived_at, every_ms, layout, samples) VALUES (?, ?, 0, 0, 0, x'')",
        rows,
    )
    connection.commit()
    return int(connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])


async def test_hosts_that_push_together_write_in_the_same_few_pages(tmp_path: Path) -> None:
    await (await open_store(tmp_path, role="collector")).close()
    with closing(sqlite3.connect(tmp_path / "watchkeeper.db")) as connection:
        pages = [pages_of_a_commit(connection, tick) for tick in range(PER_HOST)]
    assert max(pages[-10:]) < HOSTS / 4  # with an index by host, each has a page of its own by then


def looks(connection: sqlite3.Connection, now: int) -> int:
    """How much SQLite does to find which of HOSTS have something to be packed: none has."""
    done = 0

    def count() -> int:
        nonlocal done
        done += 1
        return 0

    connection.set_progress_handler(count, 10)
    found = connection.execute(WITH_WORK, [json.dumps(list(range(HOSTS))), now - 7_200_000, now]).fetchall()
    connection.set_progress_handler(None, 0)
    assert found == []
    return done


async def test_what_hosts_said_last_that_are_silent_for_good_costs_the_others_no_look(tmp_path: Path) -> None:
    await (await open_store(tmp_path, role="collector")).close()
    with closing(sqlite3.connect(tmp_path / "watchkeeper.db")) as connection:
        now = 1_000 * SPAN_MS
        for at in (now - EVERY_MS, now):
            hears(connection, [(host, at) for host in range(HOSTS)])
        before = looks(connection, now)
        hears(connection, [(HOSTS + span, span * SPAN_MS) for span in range(500)])
        assert looks(connection, now) < 3 * before


def hears(connection: sqlite3.Connection, last: list[tuple[int, int]]) -> None:
    """Of each host a batch, which is its last."""
    for host, at in last:
        batch = connection.execute(
            "INSERT INTO batches (host, at, arrived_at, every_ms, layout, samples) VALUES (?, ?, 0, 0, 0, x'')",
            [host, at],
        ).lastrowid
        connection.execute("REPLACE INTO heard VALUES (?, 0, ?, 0, 0, '', ?)", [host, at, batch])
