"""The store in one SQLite file: one thread writes, a few read beside it, nothing holds up the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from collector.store import Hosts, Incidents, Notices, Remembered, Samples, Store, StoreError, StoreHealth
from collector.stores.sqlite import commit, upkeep
from collector.stores.sqlite.folder import Folder
from collector.stores.sqlite.hosts import SqliteHosts
from collector.stores.sqlite.incidents import SqliteIncidents
from collector.stores.sqlite.notices import SqliteNotices
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.samples import SqliteSamples
from collector.stores.sqlite.schema import prepare, prepare_beside_a_collector
from collector.stores.sqlite.writer import Writer
from collector.stores.sqlite.written import Written
from rules.model import Outcome


async def open_store(folder: Path, *, role: Literal["collector", "tool"]) -> Store:
    """The store in `folder`, which is made when it is missing. StoreError says why it cannot be opened.

    A collector holds the folder: a second one is refused. A tool (a command beside it) opens the same file and never
    changes the schema under a running collector.
    """
    store = SqliteStore(Folder(folder))
    try:
        await store.open(role)
    except BaseException:
        await store.close()
        raise
    return store


class SqliteStore:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._written = Written()
        self._writer = Writer(folder.database, on_undo=self._written.clear)
        self._readers = Readers(folder.database)
        self.hosts: Hosts = SqliteHosts(self._readers, self._writer)
        self.samples: Samples = SqliteSamples(self._readers)
        self.incidents: Incidents = SqliteIncidents(self._readers)
        self.notices: Notices = SqliteNotices(self._readers, self._writer)

    async def open(self, role: Literal["collector", "tool"]) -> None:
        await asyncio.to_thread(self._enter, role)
        check = prepare if role == "collector" else prepare_beside_a_collector
        await self._writer.outside(lambda connection: check(connection, self._folder))

    async def remember(self, now: int) -> Remembered:
        return await self._readers.read(lambda connection: upkeep.remember(connection, now))

    async def commit(self, outcomes: Sequence[Outcome]) -> None:
        await self._writer.write(lambda connection: commit.keep(connection, outcomes, self._written))

    async def forget_before(self, at: int, batches_max: int) -> int:
        def job(connection: sqlite3.Connection) -> int:
            self._written.clear()  # layouts are about to go
            return upkeep.forget_before(connection, at, batches_max)

        dropped = await self._writer.write(job)
        await self._writer.outside(upkeep.give_back_pages)
        return dropped

    async def health(self) -> StoreHealth:
        size = free = batches = 0
        trouble = self._writer.trouble
        try:
            size, free = await asyncio.to_thread(upkeep.size_and_room, self._folder.database)
            batches = await self._readers.read(upkeep.batches_kept)
        except StoreError as error:
            trouble = trouble or str(error)
        detail = f"In trouble: {trouble}." if trouble else f"{batches} batches in {self._folder.database}."
        return StoreHealth("bad" if trouble else "ok", detail, size, free, batches)

    async def close(self) -> None:
        await self._readers.close()
        await self._writer.close()
        self._folder.release()

    def _enter(self, role: Literal["collector", "tool"]) -> None:
        self._folder.make()
        if role == "collector":
            self._folder.hold()
        self._folder.make_database()
