"""What took long to read, asked for."""

from __future__ import annotations

from collector.store.queries import SlowQuery
from collector.stores.sqlite.readers import Readers


class SqliteQueries:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def slowest(self, limit: int) -> list[SlowQuery]:
        return await self._readers.read(lambda connection: self._readers.slow.slowest(connection, limit))
