"""A step of the schema: silences, maintenance windows, and what an incident knows of who was told."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from collector.store import StoreError
from collector.store.policy import MAINTENANCE_MAX, SILENCES_KEPT_MS, SILENCES_MAX
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import json_text
from collector.stores.sqlite.writer import Writer
from rules.policy import Planned, Silence

T = TypeVar("T", Silence, Planned)

# What was told was once a severity for each channel; when it was told, the newest notice says. An incident that is over
# owes no channel anything: each was told of its end with it.
STEP = (
    # What is said in them is one value of JSON: nobody asks for parts of it.
    'CREATE TABLE silences (id INTEGER PRIMARY KEY AUTOINCREMENT, "end" INTEGER NOT NULL, said TEXT NOT NULL) STRICT',
    "CREATE TABLE maintenance (id INTEGER PRIMARY KEY AUTOINCREMENT, said TEXT NOT NULL) STRICT",
    "ALTER TABLE incidents ADD COLUMN noted TEXT",
    "ALTER TABLE incidents ADD COLUMN came TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE incidents ADD COLUMN withheld TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE notices ADD COLUMN about TEXT NOT NULL DEFAULT '[]'",
    "CREATE INDEX notices_by_time ON notices (created_at)",
    "UPDATE incidents SET told = '{}' WHERE resolved_at IS NOT NULL AND told <> '{}'",
    """
    UPDATE incidents SET told = (
        SELECT json_group_object(channel, json_object(
            'severity', severity, 'since', first_at, 'at', last_at, 'count', count
        )) FROM (
            SELECT key AS channel, value AS severity,
                coalesce(min(created_at), opened_at) AS first_at,
                coalesce(max(created_at), opened_at) AS last_at,
                max(count(notices.n), 1) AS count
            FROM json_each(incidents.told)
            LEFT JOIN notices ON notices.incident = incidents.id AND notices.channel = key
            GROUP BY key, value
        )
    ) WHERE told <> '{}'
    """,
    # Whose end is still to be told, as quiet hours would have it.
    "CREATE INDEX incidents_not_told_of_their_end ON incidents (id) WHERE resolved_at IS NOT NULL AND told <> '{}'",
)
SILENCES = "SELECT id, said FROM silences ORDER BY id DESC"
FORGET_SILENCES = 'DELETE FROM silences WHERE "end" < ?'
FORGET_TOO_MANY = f"""
    DELETE FROM silences WHERE id IN (
        SELECT id FROM silences WHERE "end" <= ? ORDER BY "end" DESC, id DESC LIMIT -1 OFFSET {SILENCES_MAX}
    )
"""
MAINTENANCE = "SELECT id, said FROM maintenance ORDER BY id DESC"


def policy(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)


class SqlitePolicy:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def silences(self) -> list[Silence]:
        return await self._all(Silence, SILENCES)

    async def add_silence(self, silence: Silence, now: int) -> Silence:
        def job(connection: sqlite3.Connection) -> Silence:
            connection.execute(FORGET_SILENCES, [now - SILENCES_KEPT_MS])
            connection.execute(FORGET_TOO_MANY, [now])
            _refuse_more(connection, 'silences WHERE "end" > ?', [now], SILENCES_MAX, "silences")
            row = connection.execute(
                'INSERT INTO silences ("end", said) VALUES (?, ?)', [silence.end, json_text(silence)]
            )
            return replace(silence, id=row.lastrowid or 0)

        return await self._writer.write(job)

    async def end_silence(self, silence: int, now: int) -> Silence | None:
        def job(connection: sqlite3.Connection) -> Silence | None:
            rows = connection.execute(
                'SELECT id, said FROM silences WHERE id = ? AND "end" > ?', [silence, now]
            ).fetchall()
            if not rows:
                return None
            ended = replace(_said(Silence, rows[0]), end=now)
            connection.execute(
                'UPDATE silences SET "end" = ?, said = ? WHERE id = ?', [now, json_text(ended), silence]
            )
            return ended

        return await self._writer.write(job)

    async def maintenance(self) -> list[Planned]:
        return await self._all(Planned, MAINTENANCE)

    async def add_maintenance(self, maintenance: Planned) -> Planned:
        def job(connection: sqlite3.Connection) -> Planned:
            _refuse_more(connection, "maintenance", [], MAINTENANCE_MAX, "maintenance windows")
            row = connection.execute("INSERT INTO maintenance (said) VALUES (?)", [json_text(maintenance)])
            return replace(maintenance, id=row.lastrowid or 0)

        return await self._writer.write(job)

    async def remove_maintenance(self, maintenance: int) -> Planned | None:
        def job(connection: sqlite3.Connection) -> Planned | None:
            rows = connection.execute(
                "DELETE FROM maintenance WHERE id = ? RETURNING id, said", [maintenance]
            ).fetchall()
            return _said(Planned, rows[0]) if rows else None

        return await self._writer.write(job)

    async def _all(self, kind: type[T], query: str) -> list[T]:
        return await self._readers.read(
            lambda connection: [_said(kind, row) for row in connection.execute(query)]
        )


def _said(kind: type[T], row: Sequence[Any]) -> T:
    return replace(msgspec.json.decode(row[1], type=kind), id=row[0])


def _refuse_more(
    connection: sqlite3.Connection, where: str, values: Sequence[Any], most: int, noun: str
) -> None:
    (count,) = connection.execute(f"SELECT count(*) FROM {where}", values).fetchone()
    if count >= most:
        raise StoreError(f"there are {most:,} {noun} already; end or remove some first", passing=False)
