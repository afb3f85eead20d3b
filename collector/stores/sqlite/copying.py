"""Copies of the whole database: made while a collector writes to it, found sound, and put back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from collector.caretaker import Copied, Restored, Told
from collector.store import StoreError
from collector.stores.sqlite.connection import (
    APPLICATION_ID,
    connect_reader,
    connect_writer,
    explain,
    primary_code,
)
from collector.stores.sqlite.contents import hosts_known
from collector.stores.sqlite.folder import RESTORE, Folder, make_names_lasting, open_owned
from collector.stores.sqlite.schema import pending
from collector.stores.sqlite.soundness import findings

PAGES_AT_ONCE = 256
SYNCED_AFTER_STEPS = 8
"""So little waits for the disk at a time that the collector's own commits need not wait long behind it."""
PAUSE_S_MAX = 0.1
CACHE_KIB = 2 * 1024
SPARE_BYTES = 1024 * 1024
FINDINGS_SHOWN = 3


def backup(folder: Folder, file: Path, told: Told, *, replace: bool) -> Copied:
    """See Caretaker."""
    if not folder.database.is_file():
        raise StoreError(f"there is no store in {folder.path}", passing=False)
    if not file.parent.is_dir():
        raise StoreError(f"there is no folder {file.parent} for a copy", passing=False)
    if file.exists():
        if not file.is_file() or file.samefile(folder.database):
            raise StoreError(f"{file} is no file for a copy; name another one", passing=False)
        if not replace:
            raise StoreError(
                f"{file} is there already; name another file, or replace it with --force", passing=False
            )
    with _explained(folder.database, file), _unfinished(file) as part:
        with contextlib.closing(_snapshot(folder.database)) as source:
            _see_for_room(source, file.parent)
            _copy(source, part, told)
        return _inspected(part, file, told)


def restore(folder: Folder, file: Path, told: Told, *, replace: bool) -> Restored:
    """See Caretaker."""
    database = folder.database
    before = _beside(database, ".before-restore")
    folder.make()
    folder.hold(RESTORE)
    try:
        if not file.is_file():
            raise StoreError(f"there is no file {file}", passing=False)
        if database.exists() and file.samefile(database):
            raise StoreError(f"{file} is the store itself; name a copy of it", passing=False)
        if _holds_something(database) and before.exists() and not replace:
            raise StoreError(
                f"{before} is there from an earlier restore; move it away, or let it go with --force",
                passing=False,
            )
        with _explained(file, database), _unfinished(database, put_aside=before) as part:
            with contextlib.closing(_snapshot(file)) as source:
                _see_whose(source, file)
                _see_for_room(source, database.parent)
                _copy(source, part, told)
            copied = _inspected(part, file, told)
            _begin_anew(part)
            kept = before if _holds_something(database) else None
        return Restored(copied, database, kept)
    finally:
        folder.release()


# --- copying ----------------------------------------------------------------------------------------------------------


def _snapshot(database: Path) -> sqlite3.Connection:
    """A connection that sees the database as it is now for as long as it is open, whatever is written meanwhile."""
    with _explained(database, database):
        connection = connect_reader(database)
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection


def _copy(source: sqlite3.Connection, part: Part, told: Told) -> None:
    """All pages, a few at a time; at least half of the time the disk is the collector's alone."""
    began_s = time.monotonic()
    steps = 0

    def after_step(_status: int, remaining: int, total: int) -> None:
        nonlocal began_s, steps
        steps += 1
        told("copying", 1 - remaining / max(total, 1))
        if steps % SYNCED_AFTER_STEPS == 0:
            part.write_out()
        time.sleep(min(time.monotonic() - began_s, PAUSE_S_MAX))
        began_s = time.monotonic()

    with contextlib.closing(sqlite3.connect(part.path, isolation_level=None)) as target:
        target.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        target.execute("PRAGMA journal_mode = OFF")  # a copy that breaks off is thrown away
        target.execute("PRAGMA synchronous = OFF")  # we see to that ourselves
        source.backup(target, pages=PAGES_AT_ONCE, progress=after_step)
    with contextlib.closing(sqlite3.connect(part.path, isolation_level=None)) as target:
        # One file, which can be read where nothing can be written.
        target.execute("PRAGMA journal_mode = DELETE")
    part.write_out()


def _inspected(part: Part, file: Path, told: Told) -> Copied:
    """What is in a copy that is to be known as `file`. StoreError unless it is sound."""
    with contextlib.closing(connect_reader(part.path)) as connection:
        found = findings(connection, told)
        if found:
            more = f" and {len(found) - FINDINGS_SHOWN} more" if len(found) > FINDINGS_SHOWN else ""
            shown = "; ".join(found[:FINDINGS_SHOWN])
            raise StoreError(f"what was to be copied is damaged: {shown}{more}", passing=False)
        _see_whose(connection, file)
        hosts = hosts_known(connection)
        (newest_at,) = connection.execute("SELECT max(arrived_at) FROM heard").fetchone()
        (batches,) = connection.execute("SELECT value FROM meta WHERE key = 'batches'").fetchone()
    return Copied(file, part.path.stat().st_size, hosts, batches, newest_at)


def _see_whose(connection: sqlite3.Connection, file: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise StoreError(f"{file} is no copy of a Watchkeeper store", passing=False)
    pending(connection, file)


def _see_for_room(source: sqlite3.Connection, folder: Path) -> None:
    (pages,) = source.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = source.execute("PRAGMA page_size").fetchone()
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if pages * page_bytes + SPARE_BYTES > free:
        raise StoreError(
            f"the copy takes {_mib(pages * page_bytes)} and the disk that holds {folder} has {_mib(free)} left"
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


# --- the file that a copy becomes -------------------------------------------------------------------------------------


class Part:
    """A file in the making, for this process alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # SQLite's locks on a file are lost when a process closes any other descriptor of it: this one stays open.
        self._descriptor = open_owned(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        try:
            _be_alone_with(self._descriptor, path)
            os.ftruncate(self._descriptor, 0)
        except BaseException:
            self.close()
            raise

    def write_out(self) -> None:
        """Have it on disk, and out of the memory that the collector's own pages are better kept in."""
        os.fsync(self._descriptor)
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def remove(self) -> None:
        for path in (self.path, *(_beside(self.path, end) for end in ("-journal", "-wal", "-shm"))):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._descriptor)


@contextlib.contextmanager
def _unfinished(file: Path, put_aside: Path | None = None) -> Iterator[Part]:
    """A part that takes the place of `file` when all goes well, and is removed otherwise.

    `put_aside` is where a database that is there is kept.
    """
    part = Part(_beside(file, ".part"))
    try:
        yield part
        part.write_out()
        if put_aside is not None:
            _put_aside(file, put_aside)
        part.path.replace(file)
        make_names_lasting(file.parent)
    except BaseException:
        part.remove()
        raise
    finally:
        part.close()


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _be_alone_with(descriptor: int, path: Path) -> None:
    """StoreError when another process writes to it, or has just made a whole file of it."""
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return
    raise StoreError(f"another process writes {path} at this moment; wait for it to end")


def _holds_something(database: Path) -> bool:
    return database.exists() and database.stat().st_size > 0


def _put_aside(database: Path, before: Path) -> None:
    """Keep what is there under another name too; `database` goes on being there until something takes its place.

    No log of it may stay: SQLite would read that into whatever database it finds beside it.
    """
    log, log_before = _beside(database, "-wal"), _beside(before, "-wal")
    if _holds_something(database):
        with contextlib.suppress(sqlite3.Error, StoreError):  # it may be damaged, which is why one restores
            connect_writer(database).close()  # the last to close it takes its log in
        for old in (before, log_before, _beside(before, "-shm")):
            old.unlink(missing_ok=True)
        os.link(database, before)
        if log.exists():
            log.replace(log_before)
    log.unlink(missing_ok=True)
    _beside(database, "-shm").unlink(missing_ok=True)
    make_names_lasting(database.parent)


def _begin_anew(part: Part) -> None:
    """What is decided from now on is not what was decided after the copy was made, though numbers come twice: it must
    not be taken for a repeat of that. What waited then may have been sent since."""
    with contextlib.closing(sqlite3.connect(part.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'instance'", [secrets.token_hex(8)])
        connection.execute("UPDATE notices SET perhaps_again = 1 WHERE delivery IN ('waiting', 'sending')")
        connection.execute("COMMIT")


@contextlib.contextmanager
def _explained(source: Path, target: Path) -> Iterator[None]:
    """Errors in words: what cannot be read is the source's fault, anything else the target's."""
    try:
        yield
    except sqlite3.Error as error:
        if primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreError(f"{source} is damaged, or no database ({error})", passing=False) from error
        raise explain(error, target) from error
    except OSError as error:
        raise StoreError(f"{error.filename or target} cannot be used: {error.strerror}") from error
