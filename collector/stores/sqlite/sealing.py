"""Batches become blocks, and blocks days: a host at a time, in pieces, off the event loop and off the writer's thread.

    read a piece of an hour (a reader) -> pack it (any thread) -> put it in the place of its batches (one transaction)

Each host has its minute of the hour, so the work is spread. What comes late for an hour that is packed waits for that
minute too and is then worked in, so that a backlog does not have an hour packed again for each of its batches.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from collector.store import DAY_MS, StoreError
from collector.stores.sqlite.blocks import BATCHES_MAX, Block, pack_block
from collector.stores.sqlite.fresh import WAITING, of_a_host, spans
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.ranges import HOUR_MS
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.sheets import Sheet, joined, sheet_of
from collector.stores.sqlite.summing import Summing
from collector.stores.sqlite.writer import Writer
from collector.stores.sqlite.written import Written

log = logging.getLogger(__name__)

GRACE_MS = 300_000
"""An hour is left alone for so long after its end: what was on its way then comes in order."""
PIECE_BYTES_MAX = 1024 * 1024
"""Of values, before packing: 360 batches of 70 series are a fifth of it. Removing so many takes the writer 15 ms."""
BLOCK_BYTES_MAX = 8 * 1024 * 1024
NAMES_MAX = 4_000
"""Of one block, however often a host changes its list of series within the hour."""

NOT_THE_NEWEST = "id <> coalesce((SELECT batch FROM heard WHERE host = ?1), 0)"
OLDEST = f"""
    {spans(WAITING, "?2")}
    SELECT at {of_a_host("?1")} WHERE at < ?2 AND {NOT_THE_NEWEST} ORDER BY at LIMIT 1
"""
BATCHES = f"""
    {spans("?2", "?3")}
    SELECT at, arrived_at, every_ms, layout, samples, id {of_a_host("?1")}
    WHERE at >= ?2 AND at < ?3 AND {NOT_THE_NEWEST} ORDER BY at, id LIMIT ?4
"""
LAST_PART = (
    "SELECT id, part, count, layout, data FROM blocks WHERE host = ? AND start = ? ORDER BY part DESC LIMIT 1"
)
INSERT = "INSERT INTO blocks (host, start, part, count, layout, data) VALUES (?, ?, ?, ?, ?, ?)"
REPLACE = "UPDATE blocks SET count = ?, layout = ?, data = ?, summed_up = 0 WHERE id = ?"
PACKED = "DELETE FROM batches WHERE id IN (SELECT value FROM json_each(?))"
HOSTS = "SELECT host FROM heard ORDER BY host"
# Of hosts, those that have batches to be packed or a day to be summed up: one question, not two for each host.
WITH_WORK = f"""
    {spans(WAITING, "?2")}
    SELECT host FROM heard WHERE host IN (SELECT value FROM json_each(?1)) AND (
        EXISTS (SELECT 1 {of_a_host("heard.host")} WHERE at < ?2 AND id <> heard.batch)
        OR EXISTS (SELECT 1 FROM blocks WHERE blocks.host = heard.host AND NOT summed_up AND start < ?3)
    ) ORDER BY host
"""


class Piece(Struct):
    """Batches of one hour of a host, `ids` in the table, and the block that they go into, if there is one with room."""

    host: int
    hour: int
    part: int
    ids: list[int]
    batches: Sheet
    block: int | None = None
    before: Sheet | None = None


class Sealing:
    """Where the packing of a store stands. One piece at a time."""

    def __init__(self, readers: Readers, writer: Writer, layouts: ReadLayouts, written: Written) -> None:
        self._readers, self._writer = readers, writer
        self._layouts, self._written = layouts, written
        self._summing = Summing(readers, writer, layouts)
        self._hosts: deque[int] = deque()
        self._looked_at: int | None = None

    async def piece(self, now: int) -> bool:
        """Do a little, if there is anything to do. True when there may be more."""
        if not self._hosts:
            self._hosts.extend(await self._whose_turn(now))
        if not self._hosts:
            return False
        # One that fails lets the others have their turn, and has its own in an hour.
        host = self._hosts.popleft()
        if await self._packed(host, now) or await self._summing.piece(host, now - GRACE_MS):
            self._hosts.appendleft(host)
        return True

    async def _whose_turn(self, now: int) -> list[int]:
        """Hosts with something to do whose minute has come since this was asked last; all such after a start."""
        since, self._looked_at = self._looked_at, now
        return await self._readers.read(lambda connection: _whose_turn(connection, since, now))

    async def _packed(self, host: int, now: int) -> bool:
        """Pack a piece of the oldest hour of a host that is over. False when there is none."""
        before = _over(now, HOUR_MS)
        piece = await self._readers.read(lambda connection: self._piece(connection, host, before))
        if piece is None:
            return False
        sheet, data = await asyncio.to_thread(_packed, piece)
        await self._writer.write(lambda connection: self._put(connection, piece, sheet, data))
        return True

    def _piece(self, connection: sqlite3.Connection, host: int, before: int) -> Piece | None:
        oldest = connection.execute(OLDEST, [host, before]).fetchone()
        if oldest is None:
            return None
        hour = oldest[0] // HOUR_MS * HOUR_MS
        rows = list(self._some(connection.execute(BATCHES, [host, hour, hour + HOUR_MS, BATCHES_MAX])))
        batches = sheet_of([row[:5] for row in rows], lambda layout: self._layouts.names(connection, layout))
        piece = Piece(host, hour, 0, [row[5] for row in rows], batches)
        last = connection.execute(LAST_PART, [host, hour]).fetchone()
        if last is not None:
            self._join(connection, piece, last)
        return piece

    def _some(self, rows: sqlite3.Cursor) -> Iterator[Sequence[Any]]:
        """As many as one piece may have, at least one."""
        size = 0
        names: set[str] = set()
        layouts: set[int] = set()
        for count, row in enumerate(rows):
            size += len(row[4])
            if row[3] not in layouts:
                layouts.add(row[3])
                names.update(self._layouts.names(rows.connection, row[3]))
            if count and (len(names) > NAMES_MAX or size > PIECE_BYTES_MAX):
                return
            yield row

    def _join(self, connection: sqlite3.Connection, piece: Piece, last: Sequence[Any]) -> None:
        """Have a piece go into the hour's last part if there is room, and else become the part after it."""
        number, part, count, layout, data = last
        names = self._layouts.names(connection, layout)
        together = len({*names, *piece.batches.names})
        values = (count + len(piece.ids)) * together * 8
        piece.part = part + 1
        if count + len(piece.ids) > BATCHES_MAX or together > NAMES_MAX or values > BLOCK_BYTES_MAX:
            return
        try:
            piece.before, piece.block = Block(data, count).sheet(names), number
        except StoreError as error:
            log.error("An hour of host %d is left as it is: %s", piece.host, error)  # noqa: TRY400 - not our fault

    def _put(self, connection: sqlite3.Connection, piece: Piece, sheet: Sheet, data: bytes) -> None:
        """In one transaction: read again, the same is there, packed."""
        newest_at = int(sheet.at[-1])
        layout = self._written.layouts.number(connection, sheet.names, newest_at, packed=True)
        if piece.block is None:
            connection.execute(INSERT, [piece.host, piece.hour, piece.part, sheet.count, layout, data])
        else:
            connection.execute(REPLACE, [sheet.count, layout, data, piece.block])
        removed = connection.execute(PACKED, [str(piece.ids)]).rowcount
        if removed != len(piece.ids):
            raise AssertionError(f"{len(piece.ids)} batches were packed and {removed} of them were there")


def _whose_turn(connection: sqlite3.Connection, since: int | None, now: int) -> list[int]:
    hosts = [host for (host,) in connection.execute(HOSTS)]
    if since is not None and 0 <= now - since < HOUR_MS:
        hosts = [
            host for host in hosts if (now - turn_ms(host)) // HOUR_MS > (since - turn_ms(host)) // HOUR_MS
        ]
    work = [str(hosts), _over(now, HOUR_MS), _over(now, DAY_MS)]
    return [host for (host,) in connection.execute(WITH_WORK, work)]


def _over(now: int, long_ms: int) -> int:
    """The end of the latest hour or day that is left alone no more."""
    return (now - GRACE_MS) // long_ms * long_ms


def turn_ms(host: int) -> int:
    """How far into each hour a host has its turn: spread evenly, however the hosts are numbered."""
    return (host * 2_654_435_761 & 0xFFFF_FFFF) * HOUR_MS >> 32


def _packed(piece: Piece) -> tuple[Sheet, bytes]:
    sheet = piece.batches if piece.before is None else joined([piece.before, piece.batches])
    return sheet, pack_block(sheet)
