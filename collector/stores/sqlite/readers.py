"""Readers beside the writer: each read sees one moment of the database and never holds up the event loop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from collector.store import StoreError
from collector.stores.sqlite.connection import WORDS, connect_reader_as, explain, primary_code
from collector.stores.sqlite.slow import Slow, Timed

log = logging.getLogger(__name__)

THREADS = 3
QUEUE_MAX = 1_000

T = TypeVar("T")


class Readers:
    """A few threads and as many connections, opened when they are first needed. `slow` knows what took long."""

    def __init__(self, path: Path) -> None:
        self.slow = Slow()
        self._path = path
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store-reader")
        self._idle: list[Timed] = []
        self._queued = 0
        self._closed = False

    async def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What `job` returns; all it reads is of one moment. StoreError when it could not be read."""
        if self._closed:
            raise StoreError("the store is closed", passing=False)
        if self._queued >= QUEUE_MAX:
            raise StoreError(f"{QUEUE_MAX} reads wait for the disk already")
        self._queued += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._snapshot, job)
        finally:
            self._queued -= 1

    async def close(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown, wait=True)
        while self._idle:
            self._idle.pop().close()

    def _snapshot(self, job: Callable[[sqlite3.Connection], T]) -> T:
        connection: Timed | None = None
        try:
            connection = self._take()
            connection.begin()
            answer = job(connection)
            self.slow.note(connection.took())
            connection.execute("ROLLBACK")
        except Exception as error:
            if connection is not None:
                connection.close()  # which ends its transaction too; the next read opens another
            if isinstance(error, StoreError):
                raise
            if primary_code(error) not in WORDS:
                log.exception("A read failed in a way nobody foresaw.")
            raise explain(error, self._path) from error
        self._idle.append(connection)
        return answer

    def _take(self) -> Timed:
        try:
            return self._idle.pop()
        except IndexError:
            return connect_reader_as(self._path, Timed)
