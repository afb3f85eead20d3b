"""What is read at a start, what is dropped with age, and how the file is doing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from collector.store import LIST_MAX, Remembered, StoreError
from collector.stores.sqlite.commit import unpack_ranges
from collector.stores.sqlite.hosts import all_hosts
from collector.stores.sqlite.incidents import ALERT, INCIDENT, listed
from collector.stores.sqlite.tables import ALERTS, INCIDENTS, STATES
from rules.model import REOPEN_MS
from rules.seen import Seen

# Two questions rather than one with OR, so that each has its index.
REMEMBERED = """
    SELECT id FROM incidents WHERE resolved_at IS NULL
    UNION ALL SELECT id FROM incidents WHERE resolved_at >= ?
"""
RESOLVED_ALERTS = f"""
    {ALERT} WHERE resolved_at IS NOT NULL AND incident IN ({REMEMBERED}) ORDER BY id DESC LIMIT ?
"""
OLD = """
    SELECT batches.id FROM hosts
    JOIN batches ON batches.host = hosts.id AND batches.at < ?
    LEFT JOIN heard ON heard.batch = batches.id AND heard.host = hosts.id
    WHERE heard.batch IS NULL LIMIT ?
"""
FORGET_BATCHES = f"DELETE FROM batches WHERE id IN ({OLD})"
FORGET_LAYOUTS = """
    DELETE FROM layouts WHERE id IN (
        SELECT id FROM layouts WHERE used_until < ?
        AND id NOT IN (SELECT layout FROM heard JOIN batches ON batches.id = heard.batch) LIMIT ?
    )
"""
PAGES_GIVEN_BACK_AT_ONCE = 2_000
PAGES_KEPT_FREE = 2_000
"""New batches will need some again, so the file does not shrink and grow by these all the time."""


def remember(connection: sqlite3.Connection, now: int) -> Remembered:
    since = now - REOPEN_MS
    (instance,) = connection.execute("SELECT value FROM meta WHERE key = 'instance'").fetchone()
    return Remembered(
        instance=instance,
        hosts=all_hosts(connection),
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
    )


def forget_before(connection: sqlite3.Connection, at: int, batches_max: int) -> int:
    """Drop old batches, but never a host's newest; once there is no more to drop, the layouts nothing follows."""
    dropped = connection.execute(FORGET_BATCHES, [at, batches_max]).rowcount
    connection.execute("UPDATE meta SET value = value - ? WHERE key = 'batches'", [dropped])
    if dropped < batches_max:
        connection.execute(FORGET_LAYOUTS, [at, LIST_MAX])
    return dropped


def give_back_pages(connection: sqlite3.Connection) -> None:
    """Return to the disk some of what deleting has left empty, in a transaction of its own."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    spare = min(free - PAGES_KEPT_FREE, PAGES_GIVEN_BACK_AT_ONCE)
    if spare > 0:
        # `execute` would take one step of it, which frees one page: it stops at a row, and this makes empty ones.
        connection.executescript(f"PRAGMA incremental_vacuum({spare})")


def batches_kept(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT value FROM meta WHERE key = 'batches'").fetchone()
    return int(count)


def size_and_room(database: Path) -> tuple[int, int]:
    """What the database takes on its disk, and what is left there for us, in bytes."""
    try:
        files = [database.with_name(database.name + suffix) for suffix in ("", "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        disk = os.statvfs(database.parent)
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be looked at: {error.strerror}") from error
    return size, disk.f_bavail * disk.f_frsize


def _next(connection: sqlite3.Connection, table: str) -> int:
    (highest,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
    return int(highest) + 1
