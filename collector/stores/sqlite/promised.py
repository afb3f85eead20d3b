"""A step of the schema: what services were, when the collector listened, and what came late.

What comes late is noted with the very batches, so that none of it is forgotten whatever happens then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sqlite_utils import Database

from collector.store import DAY_MS
from collector.store.promises import RUNS_MAX, LateRange
from collector.stores.sqlite.many import Rows
from collector.stores.sqlite.tables import Table
from rules.model import HOLDS, Outcome

LATE_RANGES = Table("late_ranges", LateRange)
STEP = (
    """
    CREATE TABLE promises (
        name TEXT PRIMARY KEY,
        options TEXT NOT NULL,
        changed_at INTEGER NOT NULL,
        changed_by TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # Those of one service touch each other from the first to the last.
    """
    CREATE TABLE service_intervals (
        service TEXT NOT NULL,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL,
        state TEXT NOT NULL,
        cause TEXT NOT NULL,
        repaired INTEGER NOT NULL,
        PRIMARY KEY (service, start)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE service_reach (
        service TEXT PRIMARY KEY,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # The sums of a day's intervals, of as much of it as is written.
    """
    CREATE TABLE sla_metrics (
        service TEXT NOT NULL,
        start INTEGER NOT NULL,
        up INTEGER NOT NULL,
        degraded INTEGER NOT NULL,
        down INTEGER NOT NULL,
        maintenance INTEGER NOT NULL,
        unknown INTEGER NOT NULL,
        outside INTEGER NOT NULL,
        repaired INTEGER NOT NULL,
        PRIMARY KEY (service, start)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE collector_runs (start INTEGER PRIMARY KEY, seen_at INTEGER NOT NULL) STRICT",
    f"""
    CREATE TRIGGER collector_runs_are_bounded AFTER INSERT ON collector_runs BEGIN
        DELETE FROM collector_runs WHERE start IN (
            SELECT start FROM collector_runs ORDER BY start DESC LIMIT -1 OFFSET {RUNS_MAX}
        );
    END
    """,
    """
    CREATE TABLE late_ranges (
        host INTEGER PRIMARY KEY,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL,
        noted INTEGER NOT NULL
    ) STRICT
    """,
)
LATE = Rows(
    'INSERT INTO late_ranges (host, start, "end", noted)',
    4,
    """
    ON CONFLICT (host) DO UPDATE SET start = min(start, excluded.start), "end" = max("end", excluded."end"),
        noted = noted + excluded.noted
    """,
)
LOOKS_UNTIL = """
    INSERT INTO meta VALUES ('promises_looked_until', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""
LOOKED_UNTIL = "SELECT value FROM meta WHERE key = 'promises_looked_until'"
OLDER = "SELECT service FROM service_reach WHERE start < ?"
FORGET = (
    'DELETE FROM service_intervals WHERE service = ?1 AND start < ?2 AND "end" <= ?2',
    "DELETE FROM sla_metrics WHERE service = ?1 AND start < ?2",
    'DELETE FROM service_reach WHERE service = ?1 AND "end" <= ?2',
    "UPDATE service_reach SET start = ?2 WHERE service = ?1",
)
FORGOTTEN_AT_ONCE = 20


def promises(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)


def note_late(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    """Within the transaction that keeps the batches: those whose time has been looked at."""
    row = connection.execute(LOOKED_UNTIL).fetchone()
    looked_until = row[0] if row is not None else 0
    ranges: dict[int, LateRange] = {}
    for outcome in outcomes:
        arrival = outcome.arrival
        if arrival is None or arrival.at >= looked_until:
            continue
        end = arrival.at + int(arrival.every_ms * HOLDS)
        before = ranges.get(arrival.host, LateRange(arrival.host, arrival.at, end, 0))
        ranges[arrival.host] = LateRange(
            arrival.host, min(before.start, arrival.at), max(before.end, end), before.noted + 1
        )
    LATE.write(connection, [LATE_RANGES.row(found) for found in ranges.values()])


def forget(connection: sqlite3.Connection, before: int) -> bool:
    """Drop what was before that day, of some services. True when there may be more."""
    day = before // DAY_MS * DAY_MS
    old = connection.execute(f"{OLDER} LIMIT ?", [day, FORGOTTEN_AT_ONCE]).fetchall()
    for (service,) in old:
        for statement in FORGET:
            connection.execute(statement, [service, day])
    return len(old) == FORGOTTEN_AT_ONCE
