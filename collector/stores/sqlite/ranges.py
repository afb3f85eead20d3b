"""One host's samples over a range, put together from the hours that are packed and the batches that are not yet.

Batches of the same time stay in the order in which they came: an hour's later part holds what came later, and what is
not packed yet came last.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from msgspec import Struct

from collector.store import POINTS_MAX, Points, Row, StoreError
from collector.stores.sqlite.blocks import NOT_NAMED, Block
from collector.stores.sqlite.columns import Floats, Integers, on_disk
from collector.stores.sqlite.commit import unpack_samples
from collector.stores.sqlite.fresh import of_a_host, spans
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.sheets import Sheet, joined, rows_of, sheet_of

HOUR_MS = 3_600_000
BLOCKS = """
    SELECT id, start, count, layout FROM blocks
    WHERE host = ? AND start > ? AND start < ? ORDER BY start, part
"""
RANGE = f"{of_a_host('?1')} WHERE at >= ?2 AND at < ?3 ORDER BY at, id"
SAMPLES = f"{spans('?2', '?3')} SELECT layout, at, samples {RANGE}"
ROWS = f"{spans('?2', '?3')} SELECT at, arrived_at, every_ms, layout, samples {RANGE} LIMIT ?4"
ROWS_AT_ONCE = 1_000
"""So that a long range is never in memory whole."""


class Stored(Struct, frozen=True):
    """A block and where in the range it belongs; read while the connection's transaction lasts."""

    start: int
    names: tuple[str, ...]
    block: Block


def blocks(
    connection: sqlite3.Connection, layouts: ReadLayouts, host: int, start: int, end: int
) -> Iterator[Stored]:
    """The blocks that may hold batches of a range, in order. StoreError after more batches than one range may have."""
    count = 0
    for number, begin, batches, layout in connection.execute(BLOCKS, [host, start - HOUR_MS, end]):
        count += batches
        _see_for_size(count)
        names = layouts.names(connection, layout)
        with on_disk(connection, "blocks", number) as data:
            yield Stored(begin, names, Block(data, batches))


def series(
    connection: sqlite3.Connection,
    layouts: ReadLayouts,
    host: int,
    names: Sequence[str],
    start: int,
    end: int,
) -> dict[str, Points]:
    """Several series at once. StoreError when the range holds more batches than POINTS_MAX."""
    pieces: dict[str, list[Points]] = {name: [] for name in names}
    for stored in blocks(connection, layouts, host, start, end):
        at: Integers | None = None
        for name in names:
            place = bisect_left(stored.names, name)
            if stored.names[place : place + 1] == (name,):
                at = stored.block.at() if at is None else at
                pieces[name].append(_named(at, *stored.block.series(place)))
    cursor = connection.execute(SAMPLES, [host, start, end])
    count = 0
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        count += len(rows)
        _see_for_size(count)
        _take_rows(connection, layouts, rows, pieces)
    return {name: _in_order(found, start, end) for name, found in pieces.items()}


def rows(
    connection: sqlite3.Connection, layouts: ReadLayouts, host: int, start: int, end: int, limit: int
) -> list[Row]:
    """Whole batches in the order of their times, at most `limit`."""
    sheets: list[Sheet] = []
    count, hour = 0, start
    for stored in blocks(connection, layouts, host, start, end):
        if count >= limit and stored.start > hour:
            break
        sheets.append(stored.block.sheet(stored.names).between(start, end))
        count, hour = count + sheets[-1].count, stored.start
    unpacked = connection.execute(ROWS, [host, start, end, limit]).fetchall()
    if unpacked:
        sheets.append(sheet_of(unpacked, lambda layout: layouts.names(connection, layout)))
    return rows_of(joined(sheets))[:limit] if sheets else []


def _named(at: Integers, values: Floats, stands: Integers | None) -> Points:
    if stands is None:
        return Points(at, values)
    named = stands != NOT_NAMED
    return Points(at[named], values[named])


def _take_rows(
    connection: sqlite3.Connection, layouts: ReadLayouts, rows: Sequence[Any], pieces: dict[str, list[Points]]
) -> None:
    """Run by run of rows that share a layout; nothing where the layout lacks a series."""
    for layout, run in groupby(rows, key=lambda row: row[0]):
        names = layouts.names(connection, layout)
        wanted = [(name, names.index(name)) for name in pieces if name in names]
        if wanted:
            _, at, samples = zip(*run, strict=True)
            table = unpack_samples(b"".join(samples)).reshape(len(at), len(names))
            times = np.array(at, dtype=np.int64)
            for name, place in wanted:
                pieces[name].append(Points(times, table[:, place].copy()))


def _in_order(pieces: Sequence[Points], start: int, end: int) -> Points:
    if not pieces:
        return Points(np.empty(0, dtype=np.int64), np.empty(0))
    at = np.concatenate([piece.at for piece in pieces])
    values = np.concatenate([piece.values for piece in pieces])
    if not (at[1:] >= at[:-1]).all():
        order = np.argsort(at, kind="stable")
        at, values = at[order], values[order]
    first, last = np.searchsorted(at, [start, end])
    return Points(at[first:last], values[first:last])


def _see_for_size(batches: int) -> None:
    if batches > POINTS_MAX:
        raise StoreError(f"that range holds more than {POINTS_MAX} points; ask for less", passing=False)
