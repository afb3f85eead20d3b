"""The one thread that writes, with a bounded queue in front: one job is one transaction."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from collector.store import StoreError
from collector.store.trail import BESIDE
from collector.stores.sqlite.connection import UNFIT, WORDS, connect_writer, explain, primary_code
from collector.stores.sqlite.trail import with_slip

log = logging.getLogger(__name__)

QUEUE_MAX = 1_000

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
Which = tuple[int, int] | None
"""A file, whatever its name."""


class Writer:
    """Runs jobs in the order in which they were given, each kept whole or not at all.

    Its connection is opened in its thread, and opened again after an error that leaves it unfit. `on_undo` is called
    in that thread whenever a transaction came to nothing. A file that is taken away is not written to any more: SQLite
    would go on with it, and all would be gone with the process.
    """

    def __init__(self, path: Path, on_undo: Callable[[], None]) -> None:
        self._path = path
        self._on_undo = on_undo
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._log = path.with_name(f"{path.name}-wal")
        self._connection: sqlite3.Connection | None = None
        self._files: tuple[Which, Which] = None, None
        self._queued = 0
        self._closed = False
        self.trouble = ""
        """Why the disk or the file refused the newest write; empty when it did not."""
        self._is_unsure = False
        """Whether what can be read may not be on disk."""

    async def write(self, job: Job[T]) -> T:
        """What `job` returns, once its transaction is on disk. StoreError when it was not kept.

        A caller that is cancelled meanwhile does not learn which of the two it was. A slip that hangs beside it goes
        into its transaction.
        """
        slip = BESIDE.get()
        if slip is None or slip.state != "waiting":
            return await self._run(lambda: self._transaction(job))
        slip.state, noted = "taken", with_slip(job, slip)
        try:
            answer = await self._run(lambda: self._transaction(noted))
        except BaseException:
            slip.state = "waiting"
            raise
        slip.state = "kept"
        return answer

    async def outside(self, job: Job[T]) -> T:
        """Run a job that makes its own transactions, or needs none."""
        return await self._run(lambda: self._explained(lambda: job(self._connected())))

    async def make_sure(self) -> None:
        """Return once all that can be read is on disk. StoreError when it cannot be brought there.

        A transaction whose sync failed was not kept; but whoever opens the file anew finds it whole in the log, in the
        kernel's memory, and believes it. The kernel will not write it any more. Copied into the database it is written
        again, and so is what comes after it.
        """
        if self._is_unsure:
            await self.outside(self._bring_to_disk)

    async def close(self) -> None:
        """Do what is queued, then end. What comes later is refused."""
        if self._closed:
            return
        self._closed = True
        self._thread.submit(self._disconnect)
        await asyncio.to_thread(self._thread.shutdown, wait=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed", passing=False)
        if self._queued >= QUEUE_MAX:
            raise StoreError(f"{QUEUE_MAX} writes wait for the disk already")
        self._queued += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._queued -= 1

    # --- in the thread ---

    def _transaction(self, job: Job[T]) -> T:
        def begin_to_end() -> T:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            answer = job(connection)
            connection.execute("COMMIT")
            return answer

        answer = self._explained(begin_to_end)
        self.trouble = ""
        return answer

    def _bring_to_disk(self, connection: sqlite3.Connection) -> None:
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise StoreError(f"somebody still reads {self._path} as it was before the disk failed")
        self._is_unsure = False

    def _explained(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:
            self._undo(error)
            if isinstance(error, StoreError):
                raise
            if primary_code(error) not in WORDS and not isinstance(error, sqlite3.IntegrityError):
                log.exception("A write failed in a way nobody foresaw; nothing of it was kept.")
            raise explain(error, self._path) from error

    def _undo(self, error: Exception) -> None:
        self._on_undo()
        if primary_code(error) in WORDS:
            self.trouble = str(explain(error, self._path))
        try:
            if self._connection is not None:
                self._connection.rollback()
        except sqlite3.Error:
            self._disconnect()
        if primary_code(error) in UNFIT:
            self._is_unsure = True
            self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect_writer(self._path)
            self._files = self._found()
        elif (found := self._found()) != self._files:
            if self._files != (found[0], None):
                self._robbed(self._connection)
            self._files = found  # the log comes with the first transaction
        return self._connection

    def _robbed(self, connection: sqlite3.Connection) -> None:
        """What was kept of late may lie in a log that has no name any more, and that only we have open: it goes into
        the database while that can be done. Raises StoreError."""
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.trouble = (
            f"{self._path} or the log beside it was moved away or replaced while the collector was at work; "
            "put it back, or start the collector again"
        )
        raise StoreError(self.trouble)

    def _found(self) -> tuple[Which, Which]:
        """Which files have the names of the database and of its log now."""
        return _which(self._path), _which(self._log)

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error:
                log.exception("Closing %s failed; what was committed is kept.", self._path)


def _which(path: Path) -> Which:
    try:
        found = os.stat(path)  # noqa: PTH116 - half the price of Path.stat, twice a transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino
