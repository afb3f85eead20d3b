"""Connections to the database file, and what SQLite's errors mean in words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TypeVar

from collector.store import StoreError

C = TypeVar("C", bound=sqlite3.Connection)

APPLICATION_ID = 0x574B5052
"""Stands in the file's header and says whose it is: "WKPR"."""
BUSY_TIMEOUT_S = 5.0
WRITER_CACHE_KIB = 16 * 1024
READER_CACHE_KIB = 4 * 1024
WAL_CHECKPOINT_PAGES = 4_000
"""Pages that are written again and again, as those in which each host's newest batch is noted, come from the log into
the database the fewer times the longer it may grow: up to 16 MiB."""
FULL_BELOW_BYTES = 64 * 1024
WAL_BYTES_KEPT = 64 * 1024 * 1024

WORDS = {
    sqlite3.SQLITE_FULL: "no room is left on the disk that holds {path}; free some",
    sqlite3.SQLITE_BUSY: "another program keeps {path} locked",
    sqlite3.SQLITE_LOCKED: "another program keeps {path} locked",
    sqlite3.SQLITE_IOERR: "the disk that holds {path} fails ({error})",
    sqlite3.SQLITE_READONLY: "{path} cannot be written ({error}); the collector's user must own it and its folder",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened ({error}); the collector's user must own it and its folder",
    sqlite3.SQLITE_PERM: "{path} cannot be opened ({error}); the collector's user must own it and its folder",
    sqlite3.SQLITE_NOMEM: "there was not enough memory to use {path}",
    sqlite3.SQLITE_PROTOCOL: "another program keeps {path} locked",
    sqlite3.SQLITE_CORRUPT: "{path} is damaged ({error}); put a good copy in its place, or move it away to begin anew",
    sqlite3.SQLITE_NOTADB: "{path} is not a database; move it away, or name another folder",
}
LASTING = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
UNFIT = LASTING | {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
"""After one of these a connection is not to be trusted with the next transaction."""


def connect_writer(path: Path) -> sqlite3.Connection:
    """A connection that may write: what it has committed is on disk. The file must be there, and be ours or empty.

    Raises sqlite3.Error and StoreError; a file that is not ours is left as it was.
    """
    connection = _connect(path, "rw", WRITER_CACHE_KIB, sqlite3.Connection)
    try:
        _see_whose(connection, path)
        # Has an effect in an empty file only, and must come before anything is written to it.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _use_wal(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. It may be used by any thread, but by one at a time. Raises sqlite3.Error."""
    return connect_reader_as(path, sqlite3.Connection)


def connect_reader_as(path: Path, kind: type[C]) -> C:
    """The same, as a connection of some kind."""
    return _connect(path, "ro", READER_CACHE_KIB, kind)


def _connect(path: Path, mode: str, cache_kib: int, kind: type[C]) -> C:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions begin and end where we say so
        check_same_thread=False,
        factory=kind,
    )
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _see_whose(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StoreError(
            f"{path} is another program's database; move it away, or name another folder", passing=False
        )


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path} is on a file system on which SQLite cannot work safely; use a local disk")


def primary_code(error: Exception) -> int:
    """SQLite's result code without its details; 0 if the error is none of SQLite's."""
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def explain(error: Exception, path: Path) -> StoreError:
    """What went wrong, as the sentence that a person reads."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_IOERR and _is_full(path):
        # As which SQLite knows it only where it writes, not where it makes its index.
        code = sqlite3.SQLITE_FULL
    if code in WORDS:
        return StoreError(WORDS[code].format(path=path, error=error), passing=code not in LASTING)
    if isinstance(error, sqlite3.IntegrityError):
        return StoreError(f"not kept, because it contradicts what is stored: {error}", passing=False)
    return StoreError(
        f"not done, because of a fault in the program: {type(error).__name__}: {error}", passing=False
    )


def _is_full(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < FULL_BELOW_BYTES
