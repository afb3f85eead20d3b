"""A step of the schema, and its use: jobs that tell when they ran, a row for each."""

from __future__ import annotations

from sqlite_utils import Database

from collector.store import LIST_MAX
from collector.stores.sqlite.incidents import listed
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import Table
from collector.stores.sqlite.writer import Writer
from rules.jobs import Job

JOBS = Table("jobs", Job, key=("name",))
STEP = """
    CREATE TABLE jobs (
        name TEXT PRIMARY KEY,
        known_since INTEGER NOT NULL,
        started_at INTEGER,
        ended_at INTEGER,
        exit_code INTEGER,
        took_ms INTEGER,
        words TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
"""
ALL = f"SELECT {JOBS.names} FROM jobs ORDER BY name LIMIT {LIST_MAX}"


def jobs(db: Database) -> None:
    db.conn.execute(STEP)


class SqliteJobs:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def all(self) -> list[Job]:
        return await self._readers.read(lambda connection: listed(connection, JOBS, ALL))

    async def keep(self, job: Job) -> None:
        await self._writer.write(lambda connection: JOBS.write(connection, [job]))

    async def forget(self, names: list[str]) -> None:
        rows = [(name,) for name in names]
        await self._writer.write(
            lambda connection: connection.executemany("DELETE FROM jobs WHERE name = ?", rows).rowcount
        )
