"""Samples read back: the newest of each host, series over a range, whole batches."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from collector.store import (
    LIST_MAX,
    SERIES_AT_ONCE_MAX,
    Latest,
    LatestValue,
    Points,
    Row,
    Steps,
    StoreError,
)
from collector.stores.sqlite import ranges
from collector.stores.sqlite.commit import unpack_samples
from collector.stores.sqlite.days import is_counts
from collector.stores.sqlite.fresh import of_a_host, spans
from collector.stores.sqlite.hosts import HOST_COLUMNS, HOST_WIDTH, host_of
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.ranges import HOUR_MS
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.steps import in_steps, names_of_days, sums
from collector.stores.sqlite.tables import CHECKS
from rules.histograms import bucket_in, merged
from rules.model import CheckAnswer, Series

LATEST = f"""
    SELECT {HOST_COLUMNS}, batches.layout, batches.samples FROM hosts
    LEFT JOIN heard ON heard.host = hosts.id
    LEFT JOIN batches ON batches.id = heard.batch
"""
OVERVIEW = f"{LATEST} WHERE NOT hosts.removed ORDER BY hosts.name"
LATEST_OF_ONE = f"{LATEST} WHERE hosts.id = ? AND NOT hosts.removed"
NEWEST = """
    SELECT heard.host, batches.at, batches.layout, batches.samples FROM heard
    JOIN batches ON batches.id = heard.batch ORDER BY heard.host
"""
LAYOUTS = f"""
    {spans("?2", "?3")}
    SELECT DISTINCT layout FROM blocks WHERE host = ?1 AND start > ?2 - ?4 AND start < ?3
    UNION SELECT DISTINCT layout {of_a_host("?1")} WHERE at >= ?2 AND at < ?3
"""


class SqliteSamples:
    def __init__(self, readers: Readers, layouts: ReadLayouts) -> None:
        self._readers, self._layouts = readers, layouts

    async def overview(self) -> list[Latest]:
        def job(connection: sqlite3.Connection) -> list[Latest]:
            return self._latests(connection, connection.execute(OVERVIEW))

        return await self._readers.read(job)

    async def latest(self, host: int) -> Latest | None:
        def job(connection: sqlite3.Connection) -> Latest | None:
            found = self._latests(connection, connection.execute(LATEST_OF_ONE, [host]))
            return found[0] if found else None

        return await self._readers.read(job)

    async def checks(self, host: int) -> list[CheckAnswer]:
        query = f"SELECT {CHECKS.names} FROM checks WHERE host = ? ORDER BY id"
        return await self._readers.read(
            lambda connection: [CHECKS.value(row) for row in connection.execute(query, [host])]
        )

    async def series(self, host: int, name: str, start: int, end: int) -> Points:
        def job(connection: sqlite3.Connection) -> Points:
            return ranges.series(connection, self._layouts, host, [name], start, end)[name]

        return await self._readers.read(job)

    async def series_step(
        self, host: int, names: Sequence[str], start: int, end: int, step_ms: int
    ) -> dict[str, Steps]:
        if len(names) > SERIES_AT_ONCE_MAX:
            raise StoreError(
                f"no more than {SERIES_AT_ONCE_MAX} series can be asked for at once", passing=False
            )
        return await self._readers.read(
            lambda connection: in_steps(connection, self._layouts, host, names, start, end, step_ms)
        )

    async def rows(self, host: int, start: int, end: int, limit: int) -> list[Row]:
        return await self._readers.read(
            lambda connection: ranges.rows(connection, self._layouts, host, start, end, limit)
        )

    async def names(self, host: int, start: int, end: int) -> list[str]:
        return await self._readers.read(lambda connection: self._names(connection, host, start, end))

    async def histogram(self, host: int, series: str, start: int, end: int) -> dict[int, int]:
        wanted = Series.parse(series)

        def job(connection: sqlite3.Connection) -> dict[int, int]:
            buckets = {}
            for name in self._names(connection, host, start, end):
                if is_counts(name) and (bucket := bucket_in(Series.parse(name), wanted)) is not None:
                    buckets[name] = bucket
            found = sums(connection, self._layouts, host, list(buckets), start, end)
            counts = merged({buckets[name]: round(total)} for name, total in found.items())
            return {bucket: count for bucket, count in sorted(counts.items()) if count > 0}

        return await self._readers.read(job)

    async def latest_of(self, metric: str) -> list[LatestValue]:
        def job(connection: sqlite3.Connection) -> list[LatestValue]:
            found: list[LatestValue] = []
            newest = connection.execute(NEWEST).fetchall()
            names = self._layouts.names_of(connection, {layout for _, _, layout, _ in newest})
            places = {layout: _of_metric(those, metric) for layout, those in names.items()}
            for host, at, layout, samples in newest:
                if places[layout]:
                    values = unpack_samples(samples)
                    found += [
                        LatestValue(host, name, at, float(values[place])) for name, place in places[layout]
                    ]
            return found

        return await self._readers.read(job)

    def _names(self, connection: sqlite3.Connection, host: int, start: int, end: int) -> list[str]:
        found: set[str] = set()
        for (layout,) in connection.execute(f"{LAYOUTS} ORDER BY layout DESC", [host, start, end, HOUR_MS]):
            found.update(self._layouts.names(connection, layout))
            if len(found) >= LIST_MAX:
                break
        else:
            found |= names_of_days(connection, host, start, end, LIST_MAX - len(found))
        return sorted(found)[:LIST_MAX]

    def _latests(self, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> list[Latest]:
        """In two questions, however many hosts there are and however unlike their series."""
        found = [(host_of(row), *_heard(*row[HOST_WIDTH:])) for row in rows]
        names = self._layouts.names_of(connection, {layout for _, layout, _ in found if layout is not None})
        return [
            Latest(host) if layout is None else Latest(host, names[layout], numbers)
            for host, layout, numbers in found
        ]


def _heard(layout: int | None, samples: bytes | None) -> tuple[int | None, Sequence[float]]:
    return layout, () if samples is None else array("d", unpack_samples(samples).tobytes())


def _of_metric(names: Sequence[str], metric: str) -> list[tuple[str, int]]:
    """Those of the names that are of a metric, sorted, and where each stands."""
    with_labels = metric + "{"
    return sorted(
        (name, place) for place, name in enumerate(names) if name == metric or name.startswith(with_labels)
    )
