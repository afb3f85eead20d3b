"""Recommendations, what became of them, and hooks: the step of the schema, and what is asked of them."""

from __future__ import annotations

import sqlite3
from typing import Any

from msgspec.structs import replace
from sqlite_utils import Database

from collector.store import LIST_MAX, StoreError
from collector.store.advice import (
    ADVISED_MAX,
    CHANGES_MAX,
    RUNS_MAX,
    Advised,
    HookRun,
    RunState,
    Switch,
)
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import Table
from collector.stores.sqlite.writer import Writer
from rules.scaling.model import Change

ADVISED = Table("scaling_advice", Advised, key=("service", "since"))
RUNS = Table("hook_runs", HookRun)
SWITCHES = Table("auto_scaling", Switch, key=("service",))


def _bounded(table: str, key: str, most: int) -> str:
    return f"""
    CREATE TRIGGER {table}_of_a_service_is_bounded AFTER INSERT ON {table} BEGIN
        DELETE FROM {table} WHERE service = NEW.service AND {key} <= (
            SELECT {key} FROM {table} WHERE service = NEW.service ORDER BY {key} DESC LIMIT 1 OFFSET {most}
        );
    END
    """


STEP = (
    """
    CREATE TABLE scaling_advice (
        service TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,
        direction TEXT NOT NULL,
        before INTEGER NOT NULL,
        wanted INTEGER NOT NULL,
        became INTEGER NOT NULL,
        confidence REAL NOT NULL,
        reason TEXT NOT NULL,
        evidence TEXT NOT NULL,
        PRIMARY KEY (service, since)
    ) STRICT, WITHOUT ROWID
    """,
    _bounded("scaling_advice", "since", ADVISED_MAX),
    """
    CREATE TABLE scaling_changes (
        service TEXT NOT NULL,
        at INTEGER NOT NULL,
        before INTEGER NOT NULL,
        after INTEGER NOT NULL,
        PRIMARY KEY (service, at)
    ) STRICT, WITHOUT ROWID
    """,
    _bounded("scaling_changes", "at", CHANGES_MAX),
    """
    CREATE TABLE hook_runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        service TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        by TEXT NOT NULL,
        before INTEGER NOT NULL,
        wanted INTEGER NOT NULL,
        dry_run INTEGER NOT NULL,
        state TEXT NOT NULL,
        answer TEXT NOT NULL,
        ended_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX hook_runs_of_a_service ON hook_runs (service, id)",
    "CREATE INDEX hook_runs_at_work ON hook_runs (id) WHERE state = 'running'",
    _bounded("hook_runs", "id", RUNS_MAX),
    """
    CREATE TABLE auto_scaling (
        service TEXT PRIMARY KEY,
        "on" INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        changed_by TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)
CHANGED = "INSERT INTO scaling_changes VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
CHANGES = """
    SELECT at, before, after FROM scaling_changes WHERE service = ?1 AND at >= coalesce(
        (SELECT max(at) FROM scaling_changes WHERE service = ?1 AND at < ?2), ?2
    ) ORDER BY at
"""
BEGIN_RUN = """
    INSERT INTO hook_runs (service, began_at, by, before, wanted, dry_run, state, answer, ended_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
END_RUN = "UPDATE hook_runs SET state = ?2, answer = ?3, ended_at = ?4 WHERE id = ?1 AND state = 'running'"
INTERRUPTED = """
    UPDATE hook_runs SET state = 'unsure', ended_at = ?, answer = 'the collector was stopped before it knew'
    WHERE state = 'running'
"""


def advice(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)


class SqliteAdvice:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def say(self, advised: Advised) -> None:
        await self._writer.write(lambda connection: ADVISED.write(connection, [advised]))

    async def said(self, service: str | None, limit: int) -> list[Advised]:
        rows = await self._newest("scaling_advice", ADVISED.names, "since", service, limit)
        return [ADVISED.value(row) for row in rows]

    async def changed(self, service: str, change: Change) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(CHANGED, [service, change.at, change.before, change.after])

        await self._writer.write(job)

    async def changes(self, service: str, since: int) -> list[Change]:
        return [Change(*row) for row in await self._rows(CHANGES, service, since)]

    async def begin_run(self, run: HookRun) -> HookRun:
        def job(connection: sqlite3.Connection) -> int:
            return connection.execute(BEGIN_RUN, RUNS.row(run)[1:]).lastrowid or 0

        return replace(run, id=await self._writer.write(job))

    async def end_run(self, run: int, state: RunState, answer: str, now: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            if connection.execute(END_RUN, [run, state, answer, now]).rowcount != 1:
                raise StoreError(f"no run {run} of a hook is under way", passing=False)

        await self._writer.write(job)

    async def runs(self, service: str | None, limit: int) -> list[HookRun]:
        rows = await self._newest("hook_runs", RUNS.names, "id", service, limit)
        return [RUNS.value(row) for row in rows]

    async def interrupted(self, now: int) -> int:
        return await self._writer.write(lambda connection: connection.execute(INTERRUPTED, [now]).rowcount)

    async def switches(self) -> list[Switch]:
        rows = await self._rows(f"SELECT {SWITCHES.names} FROM auto_scaling ORDER BY service")
        return [SWITCHES.value(row) for row in rows]

    async def switch(self, switch: Switch) -> None:
        await self._writer.write(lambda connection: SWITCHES.write(connection, [switch]))

    async def _newest(self, table: str, names: str, key: str, service: str | None, limit: int) -> list[Any]:
        only = "" if service is None else "WHERE service = ?2"
        query = f"SELECT {names} FROM {table} {only} ORDER BY {key} DESC LIMIT ?1"
        values = [min(limit, LIST_MAX), *([] if service is None else [service])]
        return await self._rows(query, *values)

    async def _rows(self, query: str, *values: Any) -> list[Any]:
        return await self._readers.read(lambda connection: connection.execute(query, values).fetchall())
