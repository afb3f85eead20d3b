"""Hosts and their tokens."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from collector.store import SERVICES_MAX, StoreError, TokenRow
from collector.store.hosts import TOKENS_AT_ONCE_MAX
from collector.stores.sqlite import leaving
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import Table, json_text
from collector.stores.sqlite.writer import Writer
from rules.model import SERVICE, Host

TOKENS = Table("tokens", TokenRow)
HOST_COLUMNS = """
    hosts.id, hosts.name, hosts.labels, hosts.facts, hosts.own_labels, hosts.enrolled_at, hosts.facts_at, hosts.given,
    heard.arrived_at, heard.last_at, heard.every_ms, heard.skew_ms, heard.flags
"""
HOST_WIDTH = 13
NOTHING_GIVEN = "{}"
HOSTS = f"SELECT {HOST_COLUMNS} FROM hosts LEFT JOIN heard ON heard.host = hosts.id"
ALL = f"{HOSTS} WHERE NOT hosts.removed ORDER BY hosts.name"
ALL_AND_REMOVED = f"{HOSTS} ORDER BY hosts.name"
BY_NAME = f"{HOSTS} WHERE hosts.name = ?"
BY_ID = f"{HOSTS} WHERE hosts.id = ? AND NOT hosts.removed"
SERVICES = "SELECT count(*) FROM hosts WHERE name GLOB ? AND NOT removed"
REPLACED = "SELECT host FROM tokens WHERE id = ? AND revoked_at IS NULL"
NEVER_USED = "DELETE FROM tokens WHERE replaces = ?"
SETTLED = "UPDATE tokens SET replaces = NULL WHERE id = ?"
REVOKE_REPLACED = """
    UPDATE tokens SET revoked_at = ?1
    WHERE id = (SELECT replaces FROM tokens WHERE id = ?2) AND revoked_at IS NULL
"""
REVOKE_ALL = "UPDATE tokens SET revoked_at = ? WHERE host = ? AND revoked_at IS NULL"
OF_IDS = f"SELECT {TOKENS.names} FROM tokens WHERE id IN (SELECT value FROM json_each(?))"

_strings = msgspec.json.Decoder(dict[str, str]).decode
_given = msgspec.json.Decoder(dict[str, str | None]).decode
_codes = msgspec.json.Decoder(tuple[str, ...]).decode


class SqliteHosts:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def enrol(
        self, name: str, labels: dict[str, str], token_id: str, secret_sha256: bytes, now: int
    ) -> Host:
        def job(connection: sqlite3.Connection) -> Host:
            host = insert_host(connection, name, labels, now)
            TOKENS.write(connection, [TokenRow(token_id, host.id, secret_sha256, now)])
            return host

        return await self._writer.write(job)

    async def add_token(self, host: int, token_id: str, secret_sha256: bytes, now: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            if connection.execute(BY_ID, [host]).fetchone() is None:
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
            return insert_host(connection, whole, {"service": name}, now)

        return await self._writer.write(job)

    async def token(self, token_id: str) -> TokenRow | None:
        query = f"SELECT {TOKENS.names} FROM tokens WHERE id = ?"
        row = await self._readers.read(lambda connection: connection.execute(query, [token_id]).fetchone())
        return None if row is None else TOKENS.value(row)

    async def tokens(self, token_ids: Sequence[str]) -> list[TokenRow]:
        if len(token_ids) > TOKENS_AT_ONCE_MAX:
            raise StoreError(f"no more than {TOKENS_AT_ONCE_MAX} tokens are read at once", passing=False)
        ids = json_text(token_ids)
        rows = await self._readers.read(lambda connection: connection.execute(OF_IDS, [ids]).fetchall())
        return [TOKENS.value(row) for row in rows]

    async def replace_token(self, old: str, token_id: str, secret_sha256: bytes, now: int) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            found = connection.execute(REPLACED, [old]).fetchone()
            if found is None:
                return False
            connection.execute(NEVER_USED, [old])
            TOKENS.write(connection, [TokenRow(token_id, found[0], secret_sha256, now, replaces=old)])
            return True

        return await self._writer.write(job)

    async def settle(self, token_id: str, now: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(REVOKE_REPLACED, [now, token_id])
            connection.execute(SETTLED, [token_id])

        await self._writer.write(job)

    async def revoke(self, token_id: str, now: int) -> bool:
        query = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        return await self._writer.write(
            lambda connection: connection.execute(query, [now, token_id]).rowcount == 1
        )

    async def revoke_all(self, host: int, now: int) -> int:
        return await self._writer.write(
            lambda connection: connection.execute(REVOKE_ALL, [now, host]).rowcount
        )

    async def change(self, host: int, name: str | None, labels: dict[str, str | None]) -> Host:
        def job(connection: sqlite3.Connection) -> Host:
            if name is not None:
                _rename(connection, host, name)
            give_labels(connection, host, labels)
            return known(connection, host)

        return await self._writer.write(job)

    async def remove(self, host: int) -> bool:
        return await self._writer.write(lambda connection: leaving.remove(connection, host))

    async def changes(self) -> int:
        query = "SELECT value FROM meta WHERE key = 'hosts_changed'"
        return await self._readers.read(lambda connection: int(connection.execute(query).fetchone()[0]))

    async def all(self) -> list[Host]:
        return await self._readers.read(lambda connection: all_hosts(connection))


def all_hosts(connection: sqlite3.Connection, *, and_removed: bool = False) -> list[Host]:
    return [host_of(row) for row in connection.execute(ALL_AND_REMOVED if and_removed else ALL)]


def host_of(row: Sequence[Any]) -> Host:
    """The host in the first columns of a row."""
    number, name, labels, facts, own_labels, enrolled_at, facts_at, given, *heard = row[:HOST_WIDTH]
    host = Host(number, name, _strings(labels), _strings(facts), enrolled_at, own_labels=_codes(own_labels))
    host.facts_at = facts_at
    if given != NOTHING_GIVEN:
        _give(host, _given(given))
    if heard[0] is not None:
        host.arrived_at, host.last_at, host.every_ms, host.skew_ms, flags = heard
        host.flags = _codes(flags)
    return host


def _give(host: Host, given: dict[str, str | None]) -> None:
    """What an admin says stands over what the judge has written, which may have been before the admin said it."""
    own = tuple(label for label in host.own_labels if given.get(label) is None)
    host.labels = {label: text for label, text in host.labels.items() if label in own or label not in given}
    host.labels |= {label: text for label, text in given.items() if text is not None}
    host.own_labels = own


def insert_host(connection: sqlite3.Connection, name: str, labels: dict[str, str], now: int) -> Host:
    """StoreError when the name is taken."""
    if connection.execute("SELECT 1 FROM hosts WHERE name = ?", [name]).fetchone():
        raise _taken(name)
    cursor = connection.execute(
        "INSERT INTO hosts (name, labels, enrolled_at) VALUES (?, ?, ?)", [name, json_text(labels), now]
    )
    assert cursor.lastrowid is not None
    return Host(cursor.lastrowid, name, dict(labels), enrolled_at=now)


def _rename(connection: sqlite3.Connection, host: int, name: str) -> None:
    before = known(connection, host)
    if before.is_service:
        raise StoreError(f"{before.name} is called by its metrics, and cannot be renamed", passing=False)
    if name != before.name and connection.execute(BY_NAME, [name]).fetchone() is not None:
        raise _taken(name)
    connection.execute("UPDATE hosts SET name = ? WHERE id = ?", [name, host])
    connection.execute(leaving.CHANGED)


def give_labels(connection: sqlite3.Connection, host: int, labels: Mapping[str, str | None]) -> None:
    """Add to what an admin says of a host. StoreError when there is no such host."""
    known(connection, host)
    (given,) = connection.execute("SELECT given FROM hosts WHERE id = ?", [host]).fetchone()
    together = json_text({**_given(given), **labels})
    connection.execute("UPDATE hosts SET given = ? WHERE id = ?", [together, host])
    connection.execute(leaving.CHANGED)


def known(connection: sqlite3.Connection, host: int) -> Host:
    """StoreError when there is no such host."""
    row = connection.execute(BY_ID, [host]).fetchone()
    if row is None:
        raise StoreError(f"there is no host {host}", passing=False)
    return host_of(row)


def _taken(name: str) -> StoreError:
    return StoreError(f"a host named {name!r} is enrolled already; choose another name", passing=False)
