"""A step of the schema, and its use: joins, and tokens that take the place of others."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from collector.store import LIST_MAX, StoreError, TokenRow
from collector.store.joins import JOINS_KEPT_MS, JOINS_MAX, Comer, Join
from collector.stores.sqlite.hosts import REVOKE_ALL, TOKENS, give_labels, insert_host, known
from collector.stores.sqlite.incidents import listed
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import Table
from collector.stores.sqlite.writer import Writer
from rules.model import Host

JOINS = Table("joins", Join)
STEP = (
    """
    CREATE TABLE joins (
        id TEXT PRIMARY KEY,
        secret_sha256 BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        labels TEXT NOT NULL,
        uses_max INTEGER NOT NULL,
        host INTEGER,
        uses INTEGER NOT NULL,
        used_at INTEGER,
        revoked_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX joins_by_their_end ON joins (expires_at)",
    # The token that is revoked once this one was used.
    "ALTER TABLE tokens ADD COLUMN replaces TEXT",
    "CREATE INDEX tokens_in_the_place_of_others ON tokens (replaces) WHERE replaces IS NOT NULL",
)
HOLDS = "revoked_at IS NULL AND uses < uses_max AND expires_at >"
ALL = f"SELECT {JOINS.names} FROM joins ORDER BY created_at DESC, rowid DESC LIMIT {LIST_MAX}"
FIND = f"SELECT {JOINS.names} FROM joins WHERE id = ?"
HELD = f"SELECT count(*) FROM joins WHERE {HOLDS} ?"
FORGET = "DELETE FROM joins WHERE expires_at < ?"
USE = f"UPDATE joins SET uses = uses + 1, used_at = ?1 WHERE id = ?2 AND {HOLDS} ?1"


def joins(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)


class SqliteJoins:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def add(self, join: Join) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(FORGET, [join.created_at - JOINS_KEPT_MS])
            (held,) = connection.execute(HELD, [join.created_at]).fetchone()
            if held >= JOINS_MAX:
                raise StoreError(
                    f"{JOINS_MAX} join codes hold already; revoke some: watchkeeper join list", passing=False
                )
            JOINS.write(connection, [join])

        await self._writer.write(job)

    async def all(self) -> list[Join]:
        return await self._readers.read(lambda connection: listed(connection, JOINS, ALL))

    async def find(self, join: str) -> Join | None:
        row = await self._readers.read(lambda connection: connection.execute(FIND, [join]).fetchone())
        return None if row is None else JOINS.value(row)

    async def revoke(self, join: str, now: int) -> bool:
        query = "UPDATE joins SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        return await self._writer.write(
            lambda connection: connection.execute(query, [now, join]).rowcount == 1
        )

    async def take_in(self, join: str, comer: Comer, now: int) -> Host | None:
        def job(connection: sqlite3.Connection) -> Host | None:
            if not connection.execute(USE, [now, join]).rowcount:
                return None
            used = JOINS.value(connection.execute(FIND, [join]).fetchone())
            if used.host is not None:
                connection.execute(REVOKE_ALL, [now, used.host])
            number = used.host or comer.host
            if number is None:
                number = insert_host(connection, comer.name, used.labels, now).id
            else:
                give_labels(connection, number, used.labels)
            replaced = comer.token if used.host is None else None
            token = TokenRow(comer.token_id, number, comer.secret_sha256, now, replaces=replaced)
            TOKENS.write(connection, [token])
            return known(connection, number)

        return await self._writer.write(job)
