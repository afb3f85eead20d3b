"""What was set while the collector ran."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sqlite_utils import Database

from collector.store import StoreError
from collector.store.settings import SETTINGS_MAX, Setting
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import Table
from collector.stores.sqlite.writer import Writer

SETTINGS = Table("monitoring_config", Setting, key=("key",))
TABLE = """
    CREATE TABLE monitoring_config (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL,
        changed_at INTEGER NOT NULL,
        changed_by TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
"""
ALL = f"SELECT {SETTINGS.names} FROM monitoring_config ORDER BY key"


def settings(db: Database) -> None:
    db.conn.execute(TABLE)


class SqliteSettings:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def all(self) -> list[Setting]:
        def job(connection: sqlite3.Connection) -> list[Setting]:
            return [SETTINGS.value(row) for row in connection.execute(ALL)]

        return await self._readers.read(job)

    async def change(self, put: Sequence[Setting], drop: Sequence[str]) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM monitoring_config WHERE key = ?", [(key,) for key in drop])
            SETTINGS.write(connection, put)
            (count,) = connection.execute("SELECT count(*) FROM monitoring_config").fetchone()
            if count > SETTINGS_MAX:
                raise StoreError(f"at most {SETTINGS_MAX} settings are kept", passing=False)

        await self._writer.write(job)
