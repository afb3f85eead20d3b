"""What is read at a start, and how much there is."""

from __future__ import annotations

import sqlite3

from collector.store import LIST_MAX, Remembered
from collector.stores.sqlite.commit import unpack_ranges
from collector.stores.sqlite.hosts import all_hosts
from collector.stores.sqlite.incidents import ALERT, INCIDENT, listed
from collector.stores.sqlite.tables import ALERTS, INCIDENTS, STATES
from rules.memory.seen import Seen
from rules.model import REOPEN_MS
from rules.policy.rationing import HOUR_MS

# Several questions rather than one with OR, so that each has its index.
REMEMBERED = """
    SELECT id FROM incidents WHERE resolved_at IS NULL
    UNION SELECT id FROM incidents WHERE resolved_at >= ?
    UNION SELECT id FROM incidents WHERE resolved_at IS NOT NULL AND told <> '{}'
"""
RESOLVED_ALERTS = f"""
    {ALERT} WHERE resolved_at IS NOT NULL AND incident IN ({REMEMBERED}) ORDER BY id DESC LIMIT ?
"""
SENT = """
    SELECT channel, severity, created_at FROM notices
    WHERE created_at > ? AND reason <> 'resolved' ORDER BY created_at LIMIT ?
"""


def remember(connection: sqlite3.Connection, now: int) -> Remembered:
    since = now - REOPEN_MS
    (instance,) = connection.execute("SELECT value FROM meta WHERE key = 'instance'").fetchone()
    return Remembered(
        instance=instance,
        hosts=all_hosts(connection, and_removed=True),
        seen=[
            Seen(host, spool, below, unpack_ranges(ranges))
            for host, spool, below, ranges in connection.execute(
                "SELECT host, spool, below, ranges FROM seen"
            )
        ],
        states=listed(connection, STATES, f"SELECT {STATES.names} FROM rule_states"),
        alerts=listed(connection, ALERTS, f"{ALERT} WHERE resolved_at IS NULL ORDER BY id")
        + listed(connection, ALERTS, RESOLVED_ALERTS, since, LIST_MAX),
        incidents=listed(connection, INCIDENTS, f"{INCIDENT} WHERE id IN ({REMEMBERED}) ORDER BY id", since),
        next_alert=_next(connection, "alerts"),
        next_incident=_next(connection, "incidents"),
        sent=connection.execute(SENT, [now - HOUR_MS, LIST_MAX]).fetchall(),
    )


def batches_kept(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT value FROM meta WHERE key = 'batches'").fetchone()
    return int(count)


def _next(connection: sqlite3.Connection, table: str) -> int:
    (highest,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
    return int(highest) + 1
