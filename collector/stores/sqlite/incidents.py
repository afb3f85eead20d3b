"""Incidents with their alerts and transitions, read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from collector.store import LIST_MAX, EvidenceRow
from collector.stores.sqlite.evidence import EVIDENCE, KEEP, OF_INCIDENT
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.remarks import OF_INCIDENT as REMARKS_OF
from collector.stores.sqlite.remarks import PUBLISHED, REMARKS
from collector.stores.sqlite.tables import ALERTS, INCIDENTS, TRANSITIONS, T, Table
from collector.stores.sqlite.writer import Writer
from rules.model import Alert, Incident, Remark, Transition

INCIDENT = f"SELECT {INCIDENTS.names} FROM incidents"
OPEN = f"{INCIDENT} WHERE resolved_at IS NULL ORDER BY opened_at DESC, id DESC LIMIT ?"
RESOLVED = f"{INCIDENT} WHERE resolved_at IS NOT NULL ORDER BY opened_at DESC, id DESC LIMIT ?"
ALERT = f"SELECT {ALERTS.names} FROM alerts"
TRANSITIONS_OF = f"""
    SELECT {TRANSITIONS.names} FROM alerts JOIN transitions ON transitions.alert = alerts.id
    WHERE alerts.incident = ? ORDER BY transitions.at, transitions.id LIMIT ?
"""


class SqliteIncidents:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def open(self) -> list[Incident]:
        return await self._all(INCIDENTS, OPEN, LIST_MAX)

    async def recent(self, limit: int) -> list[Incident]:
        def job(connection: sqlite3.Connection) -> list[Incident]:
            newest = listed(connection, INCIDENTS, OPEN, limit)
            return newest + listed(connection, INCIDENTS, RESOLVED, limit - len(newest))

        return await self._readers.read(job)

    async def get(self, incident: int) -> Incident | None:
        found = await self._all(INCIDENTS, f"{INCIDENT} WHERE id = ?", incident)
        return found[0] if found else None

    async def alerts(self, incident: int) -> list[Alert]:
        return await self._all(ALERTS, f"{ALERT} WHERE incident = ? ORDER BY id LIMIT ?", incident, LIST_MAX)

    async def open_alerts(self) -> list[Alert]:
        return await self._all(ALERTS, f"{ALERT} WHERE resolved_at IS NULL ORDER BY id LIMIT ?", LIST_MAX)

    async def transitions(self, incident: int) -> list[Transition]:
        return await self._all(TRANSITIONS, TRANSITIONS_OF, incident, LIST_MAX)

    async def remarks(self, incident: int) -> list[Remark]:
        return await self._all(REMARKS, REMARKS_OF, incident, LIST_MAX)

    async def published(self, limit: int) -> list[Remark]:
        return await self._all(REMARKS, PUBLISHED, limit)

    async def evidence(self, incident: int) -> list[EvidenceRow]:
        return await self._all(EVIDENCE, OF_INCIDENT, incident, LIST_MAX)

    async def add_evidence(self, row: EvidenceRow) -> None:
        values = EVIDENCE.row(row)
        await self._writer.write(lambda connection: connection.execute(KEEP, values).rowcount)

    async def _all(self, table: Table[T], query: str, *values: Any) -> list[T]:
        return await self._readers.read(lambda connection: listed(connection, table, query, *values))


def listed(connection: sqlite3.Connection, table: Table[T], query: str, *values: Any) -> list[T]:
    rows: Sequence[Any] = connection.execute(query, values).fetchall()
    return [table.value(row) for row in rows]
