"""Whether a database is sound: every page of it is read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from collector.caretaker import Told
from collector.store import StoreError
from collector.stores.sqlite.connection import primary_code
from collector.stores.sqlite.parts import LONG, SHORT, Parts

FINDINGS_MAX = 100
LOOK_EVERY_S = 0.2
TIMES_READ = 3.5
"""How often the check reads the file, roughly: along its trees, again what indexes and references point to, and again
what is packed."""
PACKED = {"blocks": SHORT, "days": LONG}

T = TypeVar("T")


def findings(connection: sqlite3.Connection, told: Told) -> list[str]:
    """What is wrong with it, in SQLite's words; nothing when it is sound. sqlite3.Error when it is no database."""
    try:
        return _watched(connection, lambda found: _broken(found) or _orphans(found) or _spoilt(found), told)
    except sqlite3.DatabaseError as error:
        if primary_code(error) != sqlite3.SQLITE_CORRUPT:
            raise
        return [str(error)]


def _broken(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(f"PRAGMA integrity_check({FINDINGS_MAX})").fetchall()
    return [line for (text,) in rows for line in str(text).splitlines() if line != "ok"]


def _orphans(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("PRAGMA foreign_key_check").fetchmany(FINDINGS_MAX)
    return [
        f"row {row} of {table} names a row of {parent} that is not there" for table, row, parent, _ in rows
    ]


def _spoilt(connection: sqlite3.Connection) -> list[str]:
    """What is packed has check sums of its own: SQLite sees only that its pages hang together."""
    found: list[str] = []
    for table, length in PACKED.items():
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", [table]).fetchone():
            continue  # a file of an older version
        for host, start, data in connection.execute(f"SELECT host, start, data FROM {table}"):
            try:
                Parts(data, length).check()
            except StoreError as error:
                found.append(f"{table} of host {host} from {start}: {error}")
            if len(found) >= FINDINGS_MAX:
                return found
    return found


def _watched(connection: sqlite3.Connection, job: Callable[[sqlite3.Connection], T], told: Told) -> T:
    """Run a job that says nothing itself until it is done, and tell how far it has come by what it has read."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    whole = max(pages * page_bytes * TIMES_READ, 1)
    began = _bytes_read()
    told("checking", None if began is None else 0.0)
    with ThreadPoolExecutor(1, thread_name_prefix="store-check") as thread:
        done = thread.submit(job, connection)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    return done.result(LOOK_EVERY_S)
                share = None if began is None else min(0.99, ((_bytes_read() or 0) - began) / whole)
                told("checking", share)
        except BaseException:
            connection.interrupt()
            raise


def _bytes_read() -> int | None:
    """By this process, from files in memory as well as from the disk; None where the kernel does not count it."""
    try:
        return int(Path("/proc/self/io").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
