"""Hosts and their tokens."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from collector.store import SERVICES_MAX, StoreError, TokenRow
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import Table, json_text
from collector.stores.sqlite.writer import Writer
from rules.model import SERVICE, Host

TOKENS = Table("tokens", TokenRow)
HOST_COLUMNS = """
    hosts.id, hosts.name, hosts.labels, hosts.facts, hosts.own_labels, hosts.enrolled_at,
    heard.arrived_at, heard.last_at, heard.every_ms, heard.skew_ms, heard.flags
"""
HOST_WIDTH = 11
ALL = f"SELECT {HOST_COLUMNS} FROM hosts LEFT JOIN heard ON heard.host = hosts.id ORDER BY hosts.name"
BY_NAME = f"SELECT {HOST_COLUMNS} FROM hosts LEFT JOIN heard ON heard.host = hosts.id WHERE hosts.name = ?"
SERVICES = "SELECT count(*) FROM hosts WHERE name GLOB ?"

_strings = msgspec.json.Decoder(dict[str, str]).decode
_codes = msgspec.json.Decoder(tuple[str, ...]).decode


class SqliteHosts:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def enrol(
        self, name: str, labels: dict[str, str], token_id: str, secret_sha256: bytes, now: int
    ) -> Host:
        def job(connection: sqlite3.Connection) -> Host:
            if connection.execute("SELECT 1 FROM hosts WHERE name = ?", [name]).fetchone():
                raise StoreError(
                    f"a host named {name!r} is enrolled already; choose another name", passing=False
                )
            cursor = connection.execute(
                "INSERT INTO hosts (name, labels, enrolled_at) VALUES (?, ?, ?)",
                [name, json_text(labels), now],
            )
            assert cursor.lastrowid is not None
            TOKENS.write(connection, [TokenRow(token_id, cursor.lastrowid, secret_sha256, now)])
            return Host(cursor.lastrowid, name, dict(labels), enrolled_at=now)

        return await self._writer.write(job)

    async def add_token(self, host: int, token_id: str, secret_sha256: bytes, now: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            if not connection.execute("SELECT 1 FROM hosts WHERE id = ?", [host]).fetchone():
                raise StoreError(f"there is no host {host} to give a token to", passing=False)
            TOKENS.write(connection, [TokenRow(token_id, host, secret_sha256, now)])

        await self._writer.write(job)

    async def add_service(self, name: str, now: int) -> Host:
        whole = SERVICE + name

        def job(connection: sqlite3.Connection) -> Host:
            row = connection.execute(BY_NAME, [whole]).fetchone()
            if row is not None:
                return host_of(row)
            (count,) = connection.execute(SERVICES, [SERVICE + "*"]).fetchone()
            if count >= SERVICES_MAX:
                raise StoreError(
                    f"metrics of {SERVICES_MAX} services are kept, and no more; name fewer services and put what "
                    "tells them apart into labels",
                    passing=False,
                )
            labels = {"service": name}
            cursor = connection.execute(
                "INSERT INTO hosts (name, labels, enrolled_at) VALUES (?, ?, ?)",
                [whole, json_text(labels), now],
            )
            assert cursor.lastrowid is not None
            return Host(cursor.lastrowid, whole, labels, enrolled_at=now)

        return await self._writer.write(job)

    async def token(self, token_id: str) -> TokenRow | None:
        query = f"SELECT {TOKENS.names} FROM tokens WHERE id = ?"
        row = await self._readers.read(lambda connection: connection.execute(query, [token_id]).fetchone())
        return None if row is None else TOKENS.value(row)

    async def revoke(self, token_id: str, now: int) -> bool:
        query = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        return await self._writer.write(
            lambda connection: connection.execute(query, [now, token_id]).rowcount == 1
        )

    async def all(self) -> list[Host]:
        return await self._readers.read(all_hosts)


def all_hosts(connection: sqlite3.Connection) -> list[Host]:
    return [host_of(row) for row in connection.execute(ALL)]


def host_of(row: Sequence[Any]) -> Host:
    """The host in the first columns of a row."""
    number, name, labels, facts, own_labels, enrolled_at, arrived_at, last_at, every_ms, skew_ms, flags = row[
        :HOST_WIDTH
    ]
    host = Host(number, name, _strings(labels), _strings(facts), enrolled_at, own_labels=_codes(own_labels))
    if arrived_at is not None:
        host.arrived_at, host.last_at, host.every_ms = arrived_at, last_at, every_ms
        host.skew_ms, host.flags = skew_ms, _codes(flags)
    return host
