"""The store in one SQLite file: one thread writes, a few read beside it, nothing holds up the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from collector.caretaker import Told, nobody
from collector.store import (
    Hosts,
    Incidents,
    Keep,
    Notices,
    Remembered,
    Samples,
    Store,
    StoreError,
    StoreHealth,
)
from collector.store.advice import Advice
from collector.store.jobs import Jobs
from collector.store.joins import Joins
from collector.store.listing import Listing
from collector.store.people import People
from collector.store.policy import PolicyKept
from collector.store.promises import Promises
from collector.store.queries import Queries
from collector.store.settings import Settings
from collector.stores.sqlite import commit, forgetting, trail, upkeep
from collector.stores.sqlite.advice import SqliteAdvice
from collector.stores.sqlite.folder import Folder
from collector.stores.sqlite.hosts import SqliteHosts
from collector.stores.sqlite.incidents import SqliteIncidents
from collector.stores.sqlite.jobs import SqliteJobs
from collector.stores.sqlite.joins import SqliteJoins
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.listing import SqliteListing
from collector.stores.sqlite.notices import SqliteNotices
from collector.stores.sqlite.people import SqlitePeople
from collector.stores.sqlite.policy import SqlitePolicy
from collector.stores.sqlite.promises import SqlitePromises
from collector.stores.sqlite.queries import SqliteQueries
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.room import Room, give_back_pages
from collector.stores.sqlite.samples import SqliteSamples
from collector.stores.sqlite.schema import prepare, prepare_beside_a_collector
from collector.stores.sqlite.sealing import Sealing
from collector.stores.sqlite.settings import SqliteSettings
from collector.stores.sqlite.writer import Writer
from collector.stores.sqlite.written import Written
from rules.model import Outcome


async def open_store(folder: Path, *, role: Literal["collector", "tool"], told: Told = nobody) -> Store:
    """The store in `folder`, which is made when it is missing. StoreError says why it cannot be opened. One of an older
    version is changed first, and `told` hears, in a thread of its own, how far that is.

    A collector holds the folder: a second one is refused. A tool (a command beside it) opens the same file and never
    changes the schema under a running collector.
    """
    store = SqliteStore(Folder(folder))
    try:
        await store.open(role, told)
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
        self._room = Room(folder.database)
        layouts = ReadLayouts()
        self._sealing = Sealing(self._readers, self._writer, layouts, self._written)
        self._upkeep = asyncio.Lock()
        """Blocks and days are changed by one piece of upkeep at a time."""
        self.hosts: Hosts = SqliteHosts(self._readers, self._writer)
        self.samples: Samples = SqliteSamples(self._readers, layouts)
        self.incidents: Incidents = SqliteIncidents(self._readers, self._writer)
        self.listing: Listing = SqliteListing(self._readers)
        self.notices: Notices = SqliteNotices(self._readers, self._writer)
        self.jobs: Jobs = SqliteJobs(self._readers, self._writer)
        self.joins: Joins = SqliteJoins(self._readers, self._writer)
        self.people: People = SqlitePeople(self._readers, self._writer)
        self.queries: Queries = SqliteQueries(self._readers)
        self.settings: Settings = SqliteSettings(self._readers, self._writer)
        self.advice: Advice = SqliteAdvice(self._readers, self._writer)
        self.policy: PolicyKept = SqlitePolicy(self._readers, self._writer)
        self.promises: Promises = SqlitePromises(self._readers, self._writer, layouts)

    async def open(self, role: Literal["collector", "tool"], told: Told) -> None:
        await asyncio.to_thread(self._enter, role)
        check = prepare if role == "collector" else prepare_beside_a_collector
        await self._writer.outside(lambda connection: check(connection, self._folder, told))

    async def remember(self, now: int) -> Remembered:
        # What the judge remembers is acknowledged when it is sent again.
        await self._writer.make_sure()
        return await self._readers.read(lambda connection: upkeep.remember(connection, now))

    async def commit(self, outcomes: Sequence[Outcome]) -> None:
        def job(connection: sqlite3.Connection) -> None:
            self._room.let_in(connection, outcomes)
            commit.keep(connection, outcomes, self._written)
            trail.keep(connection, outcomes)

        await self._writer.write(job)

    async def seal(self, now: int) -> bool:
        async with self._upkeep:
            return await self._sealing.piece(now)

    async def forget(self, keep: Keep, now: int) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            self._room.budget_bytes = keep.budget_bytes
            more = forgetting.forget(connection, keep, now, self._room, self._written)
            self._room.look(connection)
            return more

        async with self._upkeep:
            more = await self._writer.write(job)
            return await self._writer.outside(give_back_pages) or more

    async def health(self) -> StoreHealth:
        size = free = batches = 0
        trouble = self._writer.trouble or self._room.refusal
        try:
            size, free = await asyncio.to_thread(self._room.size_and_free)
            batches = await self._readers.read(upkeep.batches_kept)
        except StoreError as error:
            trouble = trouble or str(error)
        detail = f"In trouble: {trouble}." if trouble else self._room.say(batches, size)
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
