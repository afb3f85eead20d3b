"""What is in a database and what each part of it takes, and whether it is sound."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from collector.caretaker import Contents, Found, HostUse, Tier, Told
from collector.store import StoreError
from collector.stores.sqlite.connection import (
    APPLICATION_ID,
    LASTING,
    connect_reader,
    explain,
    primary_code,
)
from collector.stores.sqlite.folder import Folder
from collector.stores.sqlite.schema import pending
from collector.stores.sqlite.soundness import findings
from rules.model import SERVICE

# Of each tier its table, and: host, rows, batches, samples, bytes, the oldest and the newest time.
TIERS = {
    "fresh": (
        "batches",
        "SELECT host, count(*), count(*), sum(length(samples)) / 8, sum(length(samples)), min(at), max(at) "
        "FROM batches GROUP BY host",
    ),
    "packed": (
        "blocks",
        "WITH wide AS MATERIALIZED (SELECT id, json_array_length(names) AS series FROM layouts) "
        "SELECT host, count(*), sum(count), sum(count * series), sum(length(data)), min(start), max(start) "
        "FROM blocks JOIN wide ON wide.id = blocks.layout GROUP BY host",
    ),
    "rollups": (
        "days",
        "SELECT host, count(*), 0, 0, sum(length(data)), min(start), max(start) FROM days GROUP BY host",
    ),
}
OTHERS = ("incidents", "alerts", "transitions", "notices")
REMOVED = "SELECT id FROM hosts WHERE removed"
AGENTS = f"SELECT id FROM hosts WHERE name NOT GLOB '{SERVICE}*'"
HOSTS_HAVE_REMOVED = "SELECT 1 FROM pragma_table_info('hosts') WHERE name = 'removed'"
PAGES_OF_TABLES = """
    SELECT owner.tbl_name, sum(pages.pgsize) FROM dbstat AS pages
    JOIN sqlite_schema AS owner ON owner.name = pages.name WHERE pages.aggregate = TRUE GROUP BY 1
"""


def check(folder: Folder, told: Told) -> Found:
    """See Caretaker."""
    if not folder.database.is_file():
        raise StoreError(f"there is no store in {folder.path}", passing=False)
    try:
        with contextlib.closing(connect_reader(folder.database)) as connection:
            _see_whose(connection, folder)
            damage = findings(connection, told)
            return Found(
                folder.database, damage, _contents_of_what_may_be_damaged(connection, folder, told, damage)
            )
    except sqlite3.Error as error:
        if primary_code(error) in LASTING:
            return Found(folder.database, [str(error)], None)
        raise explain(error, folder.database) from error


def _see_whose(connection: sqlite3.Connection, folder: Folder) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StoreError(f"{folder.database} is another program's database", passing=False)
    pending(connection, folder.database)


def _contents_of_what_may_be_damaged(
    connection: sqlite3.Connection, folder: Folder, told: Told, damage: Sequence[str]
) -> Contents | None:
    try:
        return contents(connection, folder, told)
    except sqlite3.DatabaseError:
        if not damage:
            raise
        return None


def contents(connection: sqlite3.Connection, folder: Folder, told: Told) -> Contents:
    """All of one moment. Raises sqlite3.Error."""
    connection.execute("BEGIN")
    told("counting", None)
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    on_disk = _bytes_on_disk(connection)
    by_tier: dict[str, list[Sequence[Any]]] = {}
    for tier, (table, question) in TIERS.items():
        told("counting", None)
        by_tier[tier] = connection.execute(question).fetchall() if table in there else []
    pages, empty, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    others = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in OTHERS
        if table in there
    }
    removed = _removed(connection)
    found = Contents(
        file_bytes=pages * page_bytes,
        log_bytes=_size(folder),
        free_bytes=empty * page_bytes,
        tiers=[_tier(tier, rows, on_disk.get(TIERS[tier][0])) for tier, rows in by_tier.items()],
        hosts=_hosts(connection, by_tier.values(), removed),
        others={"hosts": hosts_known(connection) if "hosts" in there else 0, **others},
    )
    connection.execute("ROLLBACK")
    return found


def _tier(name: str, rows: Sequence[Sequence[Any]], on_disk: int | None) -> Tier:
    use = _sum(name, [row[2:] for row in rows])
    return Tier(
        name,
        sum(row[1] for row in rows),
        use.batches,
        use.samples,
        use.bytes if on_disk is None else on_disk,
        use.oldest_at,
        use.newest_at,
    )


def hosts_known(connection: sqlite3.Connection) -> int:
    """Those with an agent: services are kept like hosts, and are none."""
    return len({host for (host,) in connection.execute(AGENTS)} - _removed(connection))


def _removed(connection: sqlite3.Connection) -> set[int]:
    """Hosts that are removed, though their rows are not gone yet."""
    if connection.execute(HOSTS_HAVE_REMOVED).fetchone() is None:
        return set()  # a file of an older version
    return {host for (host,) in connection.execute(REMOVED)}


def _hosts(
    connection: sqlite3.Connection, tiers: Iterable[Sequence[Sequence[Any]]], removed: Collection[int]
) -> list[HostUse]:
    rows: defaultdict[int, list[Sequence[Any]]] = defaultdict(list)
    for tier in tiers:
        for row in tier:
            rows[row[0]].append(row[2:])
    names = connection.execute("SELECT id, name FROM hosts").fetchall()
    uses = [_sum(name, rows[host]) for host, name in names if host in rows or host not in removed]
    return sorted(uses, key=lambda use: (-use.bytes, use.name))


def _sum(name: str, rows: Sequence[Sequence[Any]]) -> HostUse:
    """Of rows (batches, samples, bytes, oldest, newest)."""
    batches, samples, taken = (sum(row[place] for row in rows) for place in range(3))
    return HostUse(
        name,
        batches,
        samples,
        taken,
        min((row[3] for row in rows), default=None),
        max((row[4] for row in rows), default=None),
    )


def _bytes_on_disk(connection: sqlite3.Connection) -> dict[str, int]:
    """Of each table with its indexes; nothing where SQLite was built without the means to tell."""
    try:
        return dict(connection.execute(PAGES_OF_TABLES).fetchall())
    except sqlite3.OperationalError as error:
        if "dbstat" not in str(error):
            raise
        return {}


def _size(folder: Folder) -> int:
    log = folder.database.with_name(f"{folder.database.name}-wal")
    with contextlib.suppress(FileNotFoundError):
        return log.stat().st_size
    return 0
