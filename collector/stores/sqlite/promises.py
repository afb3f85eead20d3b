"""What services were: what is written down, and what is asked of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from collector.store import DAY_MS, SERVICES_MAX, StoreError
from collector.store.promises import (
    INTERVALS_MAX,
    Asked,
    Day,
    LateRange,
    Promise,
    Reach,
    Spoken,
)
from collector.stores.sqlite import spoken
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.many import Rows
from collector.stores.sqlite.promised import LATE_RANGES, LOOKS_UNTIL
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import Table, json_text
from collector.stores.sqlite.writer import Writer
from rules.sla.courses import course_of, intervals_of
from rules.sla.model import CLASSES, Interval, Tally

PROMISES = Table("promises", Promise, key=("name",))
DAYS = Table("sla_metrics", Day)

INTERVAL = 'start, "end", state, cause, repaired'
# Those that overlap a range: from the one that its start lies in.
WITHIN = """
    FROM service_intervals WHERE service = ?1 AND start < ?3 AND "end" > ?2
    AND start >= coalesce((SELECT max(start) FROM service_intervals WHERE service = ?1 AND start <= ?2), ?2)
"""
LAST_BEFORE = f"""
    SELECT {INTERVAL} FROM service_intervals WHERE service = ? AND start {{}} ? ORDER BY start DESC LIMIT 1
"""
INSERT = Rows(f"INSERT INTO service_intervals (service, {INTERVAL})", 6)
REACHED = """
    INSERT INTO service_reach VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET start = min(start, ?2), "end" = max("end", ?3)
"""
IN_RANGE = 'min("end", ?3) - max(start, ?2)'
SUMS = ", ".join(f"coalesce(sum(iif(state = '{name}', {IN_RANGE}, 0)), 0)" for name in CLASSES)
SUM_UP = f"""
    INSERT OR REPLACE INTO sla_metrics
    SELECT ?1, ?2, {SUMS}, coalesce(sum(iif(repaired, {IN_RANGE}, 0)), 0) {WITHIN}
    HAVING count(*) > 0
"""
SUM_OF_DAYS = f"""
    SELECT {", ".join(f"coalesce(sum({name}), 0)" for name in CLASSES)} FROM sla_metrics
    WHERE service = ? AND start >= ? AND start < ?
"""
ASKED = """
    SELECT host, id, kind FROM checks WHERE id IN (SELECT value FROM json_each(?)) ORDER BY host, id
"""
TAKE_BACK = (
    "DELETE FROM service_intervals WHERE service = ?1 AND start >= ?2",
    'UPDATE service_intervals SET "end" = ?2 WHERE service = ?1 AND start < ?2 AND "end" > ?2',
    f"DELETE FROM sla_metrics WHERE service = ?1 AND start > ?2 - {DAY_MS}",
    "DELETE FROM service_reach WHERE service = ?1 AND start >= ?2",
    'UPDATE service_reach SET "end" = min("end", ?2) WHERE service = ?1',
)
LISTENED = """
    INSERT INTO collector_runs VALUES (?1, ?2) ON CONFLICT DO UPDATE SET seen_at = max(seen_at, ?2)
"""
LATE_DONE = "DELETE FROM late_ranges WHERE host = ? AND noted = ?"


class SqlitePromises:
    def __init__(self, readers: Readers, writer: Writer, layouts: ReadLayouts) -> None:
        self._readers, self._writer, self._layouts = readers, writer, layouts

    # --- services that were made at run time ---

    async def all(self) -> list[Promise]:
        rows = await self._rows(f"SELECT {PROMISES.names} FROM promises ORDER BY name")
        return [PROMISES.value(row) for row in rows]

    async def put(self, promise: Promise) -> None:
        def job(connection: sqlite3.Connection) -> None:
            query = "SELECT count(*) FROM promises WHERE name <> ?"
            (others,) = connection.execute(query, [promise.name]).fetchone()
            if others >= SERVICES_MAX:
                raise StoreError(
                    f"there are {SERVICES_MAX} services already, and no more are kept; remove one first",
                    passing=False,
                )
            PROMISES.write(connection, [promise])

        await self._writer.write(job)

    async def remove(self, name: str) -> bool:
        query = "DELETE FROM promises WHERE name = ?"
        return await self._writer.write(lambda connection: connection.execute(query, [name]).rowcount == 1)

    # --- what they were ---

    async def reach(self) -> dict[str, Reach]:
        rows = await self._rows('SELECT service, start, "end" FROM service_reach')
        return {row[0]: Reach(*row) for row in rows}

    async def write(self, intervals: Mapping[str, Sequence[Interval]]) -> None:
        def job(connection: sqlite3.Connection) -> None:
            for service, given in intervals.items():
                if given:
                    _write(connection, service, given)

        await self._writer.write(job)

    async def take_back(self, service: str, since: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            for statement in TAKE_BACK:
                connection.execute(statement, [service, since])
            day = since // DAY_MS * DAY_MS
            connection.execute(SUM_UP, [service, day, day + DAY_MS])

        await self._writer.write(job)

    async def intervals(self, service: str, start: int, end: int, *, but_up: bool = False) -> list[Interval]:
        if start >= end:
            return []
        only = "AND state <> 'up'" if but_up else ""
        query = f"SELECT {INTERVAL} {WITHIN} {only} ORDER BY start LIMIT ?4"
        rows = await self._rows(query, service, start, end, INTERVALS_MAX + 1)
        if len(rows) > INTERVALS_MAX:
            raise StoreError(
                f"{service} changed more than {INTERVALS_MAX} times in that range; ask for less",
                passing=False,
            )
        return [_interval(row, start, end) for row in rows]

    async def latest(self, service: str, before: int) -> Interval | None:
        return await self._readers.read(lambda connection: _one(connection, service, "<", before))

    async def tally(self, service: str, start: int, end: int) -> Tally:
        if start >= end:
            return Tally()

        def job(connection: sqlite3.Connection) -> Tally:
            first, last = -(-start // DAY_MS) * DAY_MS, end // DAY_MS * DAY_MS
            if first >= last:
                return _tally(connection, service, start, end)
            whole = connection.execute(SUM_OF_DAYS, [service, first, last]).fetchone()
            edges = _tally(connection, service, start, first) + _tally(connection, service, last, end)
            return edges + Tally(*whole)

        return await self._readers.read(job)

    async def days(self, service: str, start: int, end: int) -> list[Day]:
        query = f"SELECT {DAYS.names} FROM sla_metrics WHERE service = ? AND start >= ? AND start < ? ORDER BY start"
        return [DAYS.value(row) for row in await self._rows(query, service, start, end)]

    # --- what that is reckoned from ---

    async def listened(self, since: int, until: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(LISTENED, [since, until])

        await self._writer.write(job)

    async def away(self, start: int, end: int) -> list[tuple[int, int]]:
        query = "SELECT start, seen_at FROM collector_runs WHERE seen_at > ? AND start < ? ORDER BY start"
        found, reached = [], start
        for since, until in await self._rows(query, start, end):
            if since > reached:
                found.append((reached, since))
            reached = max(reached, until)
        return [*found, (reached, end)] if reached < end else found

    async def looks_until(self, until: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(LOOKS_UNTIL, [until])

        await self._writer.write(job)

    async def late(self) -> list[LateRange]:
        rows = await self._rows(f"SELECT {LATE_RANGES.names} FROM late_ranges ORDER BY host")
        return [LATE_RANGES.value(row) for row in rows]

    async def late_done(self, ranges: Sequence[LateRange]) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.executemany(LATE_DONE, [(done.host, done.noted) for done in ranges])

        await self._writer.write(job)

    async def asked(self, checks: Sequence[str]) -> list[Asked]:
        return [Asked(*row) for row in await self._rows(ASKED, json_text(list(checks)))]

    async def spoken(self, host: int, names: Sequence[str], start: int, end: int) -> Spoken:
        return await self._readers.read(
            lambda connection: spoken.spoken(connection, self._layouts, host, names, start, end)
        )

    async def samples_from(self) -> int | None:
        return await self._readers.read(spoken.samples_from)

    async def _rows(self, query: str, *values: Any) -> list[Any]:
        return await self._readers.read(lambda connection: connection.execute(query, values).fetchall())


def _write(connection: sqlite3.Connection, service: str, given: Sequence[Interval]) -> None:
    """Put intervals in the place of what stands in their range; what touches them and is the same becomes one."""
    first, last = given[0].start, given[-1].end
    before = _one(connection, service, "<", first)
    after = _one(connection, service, "<=", last)
    pieces = list(given)
    if before is not None:
        if before.end < first:
            raise StoreError(
                f"what {service} was is written down until {before.end}, and the next is from {first}",
                passing=False,
            )
        pieces.insert(0, Interval(before.start, first, before.state, before.cause, before.repaired))
    if after is not None and after.end > last:
        pieces.append(Interval(last, after.end, after.state, after.cause, after.repaired))
    connection.execute(
        "DELETE FROM service_intervals WHERE service = ? AND start >= ? AND start <= ?",
        [service, pieces[0].start, last],
    )
    rows = intervals_of(course_of(pieces))
    INSERT.write(
        connection, [(service, row.start, row.end, row.state, row.cause, row.repaired) for row in rows]
    )
    connection.execute(REACHED, [service, first, last])
    for day in range(first // DAY_MS * DAY_MS, last, DAY_MS):
        connection.execute(SUM_UP, [service, day, day + DAY_MS])


def _one(connection: sqlite3.Connection, service: str, how: str, at: int) -> Interval | None:
    """The last that starts before `at`, or there."""
    row = connection.execute(LAST_BEFORE.format(how), [service, at]).fetchone()
    return None if row is None else _interval(row, row[0], row[1])


def _interval(row: Sequence[Any], start: int, end: int) -> Interval:
    begin, until, state, cause, repaired = row
    return Interval(max(begin, start), min(until, end), state, cause, bool(repaired))


def _tally(connection: sqlite3.Connection, service: str, start: int, end: int) -> Tally:
    return Tally(*connection.execute(f"SELECT {SUMS} {WITHIN}", [service, start, end]).fetchone())
