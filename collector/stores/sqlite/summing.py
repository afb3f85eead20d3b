"""A host's hours become the buckets of its day once the day is over, and again when something came late."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np

from collector.store import DAY_MS, StoreError
from collector.stores.sqlite.blocks import Block
from collector.stores.sqlite.days import BUCKET_MS, Day, PackedDay, pack_day, summed_up, together
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.ranges import HOUR_MS
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.sheets import sheet_of
from collector.stores.sqlite.steps import SAMPLES_FROM
from collector.stores.sqlite.writer import Writer

log = logging.getLogger(__name__)

OLDEST = "SELECT min(start) FROM blocks WHERE host = ? AND NOT summed_up"
BLOCKS = "SELECT id, start, count, layout FROM blocks WHERE host = ? AND start >= ? AND start < ? ORDER BY start, part"
BLOCK = "SELECT data FROM blocks WHERE id = ?"
# A silent host's newest batch is never packed.
NEWEST = """
    SELECT batches.at, batches.arrived_at, batches.every_ms, batches.layout, batches.samples
    FROM heard JOIN batches ON batches.id = heard.batch WHERE heard.host = ? AND batches.at >= ? AND batches.at < ?
"""
DAY = "SELECT data FROM days WHERE host = ? AND start = ?"
PUT = """
    INSERT INTO days (host, start, data) VALUES (?, ?, ?)
    ON CONFLICT (host, start) DO UPDATE SET data = excluded.data
"""
SUMMED_UP = "UPDATE blocks SET summed_up = 1 WHERE id IN (SELECT value FROM json_each(?))"


class Summing:
    """Sums up days. Nobody else may change blocks meanwhile."""

    def __init__(self, readers: Readers, writer: Writer, layouts: ReadLayouts) -> None:
        self._readers, self._writer, self._layouts = readers, writer, layouts

    async def piece(self, host: int, over: int) -> bool:
        """Sum up a host's oldest day that ended before `over` and is not summed up as it is. False: there is none."""
        oldest = await self._readers.read(lambda connection: connection.execute(OLDEST, [host]).fetchone()[0])
        if oldest is None or oldest // DAY_MS * DAY_MS + DAY_MS > over:
            return False
        begin = oldest // DAY_MS * DAY_MS
        before, blocks = await self._readers.read(lambda connection: self._begun(connection, host, begin))
        parts = [] if before is None else [before]
        for block in blocks:
            if before is None or not _is_in(block[1], before):
                parts += await self._summed_up(host, *block)
        parts += await self._readers.read(lambda connection: self._newest(connection, host, begin))
        data = await asyncio.to_thread(lambda: pack_day(together(parts), begin)) if parts else None
        await self._writer.write(
            lambda connection: _put(connection, host, begin, data, [row[0] for row in blocks])
        )
        return True

    def _begun(
        self, connection: sqlite3.Connection, host: int, begin: int
    ) -> tuple[Day | None, Sequence[tuple[int, int, int, int]]]:
        """What is known already of that part of the day whose samples are dropped, or about to be; and all blocks."""
        (samples_from,) = connection.execute(SAMPLES_FROM).fetchone()
        row = connection.execute(DAY, [host, begin]).fetchone() if begin < samples_from else None
        before = None if row is None else _cut(_read(row[0], begin, host), samples_from)
        return before, connection.execute(BLOCKS, [host, begin, begin + DAY_MS]).fetchall()

    async def _summed_up(self, host: int, number: int, start: int, count: int, layout: int) -> list[Day]:
        """Of one block. One that is damaged is left out: waiting would not make it whole."""

        def read(connection: sqlite3.Connection) -> tuple[bytes, tuple[str, ...]]:
            return connection.execute(BLOCK, [number]).fetchone()[0], self._layouts.names(connection, layout)

        data, names = await self._readers.read(read)
        try:
            return [await asyncio.to_thread(lambda: summed_up(Block(data, count).sheet(names), BUCKET_MS))]
        except StoreError as error:
            log.error("An hour of host %d is left out of its day: %s", host, error)  # noqa: TRY400 - not our fault
            return []

    def _newest(self, connection: sqlite3.Connection, host: int, begin: int) -> list[Day]:
        row = connection.execute(NEWEST, [host, begin, begin + DAY_MS]).fetchone()
        if row is None:
            return []
        return [summed_up(sheet_of([row], lambda layout: self._layouts.names(connection, layout)), BUCKET_MS)]


def _read(data: bytes, begin: int, host: int) -> Day | None:
    try:
        return PackedDay(data, begin).day()
    except StoreError as error:
        log.error("A day of host %d is summed up from what is left: %s", host, error)  # noqa: TRY400
        return None


def _cut(day: Day | None, end: int) -> Day | None:
    """The buckets of a day before `end`; None when there are none."""
    if day is None or not (kept := day.at < end).any():
        return None
    low, high, mean = (numbers[:, kept] for numbers in (day.low, day.high, day.mean))
    return Day(day.names, day.at[kept], day.batches[kept], day.counts[:, kept], low, high, mean)


def _is_in(hour: int, day: Day) -> bool:
    return bool(np.any((day.at >= hour) & (day.at < hour + HOUR_MS)))


def _put(connection: sqlite3.Connection, host: int, begin: int, data: Any, blocks: Sequence[int]) -> None:
    if data is not None:
        connection.execute(PUT, [host, begin, data])
    connection.execute(SUMMED_UP, [str(list(blocks))])
