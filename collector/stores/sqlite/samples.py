"""Batches read back: the newest of each host, one series over a range, whole rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.store import POINTS_MAX, Latest, Points, Row, StoreError
from collector.stores.sqlite.commit import unpack_samples
from collector.stores.sqlite.hosts import HOST_COLUMNS, HOST_WIDTH, host_of
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import CHECKS
from rules.model import CheckAnswer

LATEST = f"""
    SELECT {HOST_COLUMNS}, batches.layout, batches.samples FROM hosts
    LEFT JOIN heard ON heard.host = hosts.id
    LEFT JOIN batches ON batches.id = heard.batch
"""
RANGE = "FROM batches WHERE host = ? AND at >= ? AND at < ? ORDER BY at, id"
ROWS_AT_ONCE = 1_000
"""So that a long range is never in memory whole."""


class SqliteSamples:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._layouts = ReadLayouts()

    async def overview(self) -> list[Latest]:
        def job(connection: sqlite3.Connection) -> list[Latest]:
            return [
                self._latest(connection, row) for row in connection.execute(f"{LATEST} ORDER BY hosts.name")
            ]

        return await self._readers.read(job)

    async def latest(self, host: int) -> Latest | None:
        def job(connection: sqlite3.Connection) -> Latest | None:
            row = connection.execute(f"{LATEST} WHERE hosts.id = ?", [host]).fetchone()
            return None if row is None else self._latest(connection, row)

        return await self._readers.read(job)

    async def checks(self, host: int) -> list[CheckAnswer]:
        query = f"SELECT {CHECKS.names} FROM checks WHERE host = ? ORDER BY id"
        return await self._readers.read(
            lambda connection: [CHECKS.value(row) for row in connection.execute(query, [host])]
        )

    async def series(self, host: int, name: str, start: int, end: int) -> Points:
        def job(connection: sqlite3.Connection) -> Points:
            cursor = connection.execute(f"SELECT layout, at, samples {RANGE}", [host, start, end])
            pieces: list[Points] = []
            count = 0
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                pieces += self._pieces(connection, rows, name)
                count += len(rows)
                if count > POINTS_MAX:
                    raise StoreError(
                        f"that range holds more than {POINTS_MAX} points; ask for less", passing=False
                    )
            return _joined(pieces)

        return await self._readers.read(job)

    async def rows(self, host: int, start: int, end: int, limit: int) -> list[Row]:
        def job(connection: sqlite3.Connection) -> list[Row]:
            query = f"SELECT at, arrived_at, every_ms, layout, samples {RANGE} LIMIT ?"
            return [
                Row(
                    at, arrived_at, every_ms, self._layouts.names(connection, layout), unpack_samples(samples)
                )
                for at, arrived_at, every_ms, layout, samples in connection.execute(
                    query, [host, start, end, limit]
                )
            ]

        return await self._readers.read(job)

    def _latest(self, connection: sqlite3.Connection, row: Sequence[Any]) -> Latest:
        layout, samples = row[HOST_WIDTH:]
        if layout is None:
            return Latest(host_of(row), {})
        names = self._layouts.names(connection, layout)
        return Latest(host_of(row), dict(zip(names, unpack_samples(samples).tolist(), strict=True)))

    def _pieces(self, connection: sqlite3.Connection, rows: Sequence[Any], name: str) -> list[Points]:
        """The column of one series, run by run of rows that share a layout; nothing where the layout lacks it."""
        pieces = []
        for layout, run in groupby(rows, key=lambda row: row[0]):
            names = self._layouts.names(connection, layout)
            if name in names:
                _, at, samples = zip(*run, strict=True)
                table = unpack_samples(b"".join(samples)).reshape(len(at), len(names))
                pieces.append(Points(np.array(at, dtype=np.int64), table[:, names.index(name)].copy()))
        return pieces


def _joined(pieces: Sequence[Points]) -> Points:
    at: list[npt.NDArray[np.int64]] = [piece.at for piece in pieces]
    values: list[npt.NDArray[np.float64]] = [piece.values for piece in pieces]
    if not pieces:
        return Points(np.empty(0, dtype=np.int64), np.empty(0))
    return Points(np.concatenate(at), np.concatenate(values))
