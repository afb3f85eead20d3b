"""Whether a database is sound: every page of it is read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from collector.caretaker import Told
from collector.stores.sqlite.connection import primary_code

FINDINGS_MAX = 100
LOOK_EVERY_S = 0.2
TIMES_READ = 2.5
"""How often the check reads the file, roughly: along its trees, and again what indexes and references point to."""

T = TypeVar("T")


def findings(connection: sqlite3.Connection, told: Told) -> list[str]:
    """What is wrong with it, in SQLite's words; nothing when it is sound. sqlite3.Error when it is no database."""
    try:
        return _watched(connection, lambda connection: _broken(connection) or _orphans(connection), told)
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
