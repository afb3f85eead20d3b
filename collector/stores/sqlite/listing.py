"""Incidents, alerts and notices as long lists, in the order of their tables' keys: so a page reads what it shows."""

from __future__ import annotations

import sqlite3
from typing import Any

from collector.store.listing import AlertsWanted, IncidentsWanted, NoticesWanted
from collector.store.notices import NoticeRow
from collector.stores.sqlite.notices import NOTICE, notice_row
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import ALERTS, INCIDENTS, T, Table
from rules.model import Alert, Incident

STATES = {"open": "resolved_at IS NULL", "resolved": "resolved_at IS NOT NULL"}
EQUAL = ("severity", "host", "rule", "incident")


class SqliteListing:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def incidents(self, wanted: IncidentsWanted, limit: int) -> list[Incident]:
        return await self._list(INCIDENTS, "incidents", wanted, limit)

    async def alerts(self, wanted: AlertsWanted, limit: int) -> list[Alert]:
        return await self._list(ALERTS, "alerts", wanted, limit)

    async def alert(self, alert: int) -> Alert | None:
        found = await self._read(ALERTS, f"SELECT {ALERTS.names} FROM alerts WHERE id = ?", [alert])
        return found[0] if found else None

    async def notices(self, wanted: NoticesWanted, limit: int) -> list[NoticeRow]:
        equal = {"channel": wanted.channel, "delivery": wanted.delivery}
        conditions = [f"{name} = ?" for name, value in equal.items() if value is not None]
        values: list[Any] = [value for value in equal.values() if value is not None]
        if wanted.before is not None:
            conditions.append("n < (SELECT n FROM notices WHERE id = ?)")
            values.append(wanted.before)
        query = f"{NOTICE} WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY n DESC LIMIT ?"

        def job(connection: sqlite3.Connection) -> list[NoticeRow]:
            return [notice_row(row) for row in connection.execute(query, [*values, limit])]

        return await self._readers.read(job)

    async def _list(
        self, table: Table[T], name: str, wanted: IncidentsWanted | AlertsWanted, limit: int
    ) -> list[T]:
        conditions, values = conditions_of(wanted)
        order = "ASC" if wanted.oldest_first else "DESC"
        query = f"SELECT {table.names} FROM {name} WHERE {conditions} ORDER BY id {order} LIMIT ?"
        return await self._read(table, query, [*values, limit])

    async def _read(self, table: Table[T], query: str, values: list[Any]) -> list[T]:
        def job(connection: sqlite3.Connection) -> list[T]:
            return [table.value(row) for row in connection.execute(query, values)]

        return await self._readers.read(job)


def conditions_of(wanted: IncidentsWanted | AlertsWanted) -> tuple[str, list[Any]]:
    """What stands after WHERE, made of words of our own, and the values that are bound to it."""
    conditions, values = [STATES.get(wanted.state, "TRUE")], []
    for field in EQUAL:
        if (value := getattr(wanted, field, None)) is not None:
            conditions.append(f"{field} = ?")
            values.append(value)
    acknowledged = getattr(wanted, "acknowledged", None)
    if acknowledged is not None:
        conditions.append(f"acknowledged_at IS {'NOT ' if acknowledged else ''}NULL")
    for sign, bound in (("<", wanted.below), (">", wanted.above)):
        if bound is not None:
            conditions.append(f"id {sign} ?")
            values.append(bound)
    return " AND ".join(conditions), values
