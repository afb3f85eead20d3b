"""What is asked of samples to know what a service was: when a host was heard, and a few of its series."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from collector.store.promises import Spoken
from collector.stores.sqlite import fresh
from collector.stores.sqlite.columns import Integers
from collector.stores.sqlite.fresh import of_a_host, spans
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.ranges import blocks, series
from collector.stores.sqlite.steps import SAMPLES_FROM

TICKS = f"""
    {spans("?2", "?3")} SELECT at, every_ms {of_a_host("?1")} WHERE at >= ?2 AND at < ?3 ORDER BY at, id
"""
OLDEST_BATCH = f"{spans()} SELECT min(at) {of_a_host('?')}"
OLDEST_BLOCK = "SELECT min(start) FROM blocks WHERE host = ?"
OLDEST_PACKED = "SELECT min(start) FROM blocks"
HOUR_MS = 3_600_000


def spoken(
    connection: sqlite3.Connection,
    layouts: ReadLayouts,
    host: int,
    names: Sequence[str],
    start: int,
    end: int,
) -> Spoken:
    """See Promises.spoken."""
    at, every_ms = _ticks(connection, layouts, host, start, end)
    found = series(connection, layouts, host, names, start, end) if names else {}
    return Spoken(
        at,
        every_ms,
        {name: (points.at, points.values) for name, points in found.items()},
        _first_at(connection, layouts, host),
    )


def samples_from(connection: sqlite3.Connection) -> int | None:
    """Since when no hour of samples was let go of, and there are any."""
    (oldest,) = connection.execute(OLDEST_PACKED).fetchone()
    if oldest is None:
        (oldest,) = connection.execute(fresh.OLDEST).fetchone()
    (kept_from,) = connection.execute(SAMPLES_FROM).fetchone()
    return None if oldest is None else max(oldest, kept_from)


def _ticks(
    connection: sqlite3.Connection, layouts: ReadLayouts, host: int, start: int, end: int
) -> tuple[Integers, Integers]:
    """Sample times and intervals of a range, in order."""
    rows = connection.execute(TICKS, [host, start, end]).fetchall()
    pieces = [np.array(rows, dtype=np.int64).reshape(len(rows), 2).T]
    for stored in blocks(connection, layouts, host, start, end):
        pieces.insert(-1, np.stack([stored.block.at(), stored.block.every_ms()]))
    at, every_ms = np.concatenate(pieces, axis=1)
    order = np.argsort(at, kind="stable")
    at, every_ms = at[order], every_ms[order]
    first, last = np.searchsorted(at, [start, end])
    return at[first:last], every_ms[first:last]


def _first_at(connection: sqlite3.Connection, layouts: ReadLayouts, host: int) -> int | None:
    """Of the hour that is the oldest, the first sample; that hour is looked at whole."""
    (unpacked,) = connection.execute(OLDEST_BATCH, [host]).fetchone()
    (packed,) = connection.execute(OLDEST_BLOCK, [host]).fetchone()
    if packed is None or (unpacked is not None and unpacked < packed):
        return None if unpacked is None else int(unpacked)
    at, _ = _ticks(connection, layouts, host, packed, packed + HOUR_MS)
    return int(at[0]) if len(at) else int(packed)
