"""A step of the schema: hosts that are removed, renamed and labelled; and how what a removed one brought is dropped."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from collector.stores.sqlite.fresh import of_a_host, spans
from collector.stores.sqlite.written import Written

ROWS_AT_ONCE = 500
BLOCKS_AT_ONCE = 100
STEP = (
    # The name of one that is removed says so, since names are unique. Its row goes with the last that belongs to it.
    "ALTER TABLE hosts ADD COLUMN removed INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX hosts_that_are_removed ON hosts (id) WHERE removed",
    # What an admin says stands over `labels`, which the judge writes: a label, or null where one was taken away.
    "ALTER TABLE hosts ADD COLUMN given TEXT NOT NULL DEFAULT '{}'",
    # When the agent said its facts and labels, by sample time: what came late does not stand over what is newer.
    "ALTER TABLE hosts ADD COLUMN facts_at INTEGER NOT NULL DEFAULT 0",
    "INSERT INTO meta VALUES ('hosts_changed', 0)",
    "DROP TRIGGER spools_of_a_host_are_bounded",
    """
    CREATE TRIGGER spools_of_a_host_are_few AFTER INSERT ON seen BEGIN
        DELETE FROM seen WHERE host = NEW.host AND spool IN (
            SELECT spool FROM seen WHERE host = NEW.host ORDER BY arrived_at DESC LIMIT -1 OFFSET 100
        );
    END
    """,
    # Whether a block follows it: what only batches followed is of no use once they are packed.
    "ALTER TABLE layouts ADD COLUMN packed INTEGER NOT NULL DEFAULT 1",
    "CREATE INDEX layouts_of_batches ON layouts (used_until) WHERE NOT packed",
    "DROP VIEW system_health",
    """
    CREATE VIEW system_health AS
    SELECT
        hosts.id AS host, hosts.name, hosts.labels,
        strftime('%Y-%m-%dT%H:%M:%SZ', heard.arrived_at / 1000, 'unixepoch') AS heard_at,
        strftime('%Y-%m-%dT%H:%M:%SZ', heard.last_at / 1000, 'unixepoch') AS sampled_at,
        heard.every_ms, heard.skew_ms, heard.flags,
        length(batches.samples) / 8 AS series,
        (SELECT count(*) FROM checks WHERE checks.host = hosts.id AND state = 'bad') AS checks_bad,
        (SELECT count(*) FROM alerts WHERE alerts.host = hosts.id AND resolved_at IS NULL) AS alerts_open
    FROM hosts
    LEFT JOIN heard ON heard.host = hosts.id
    LEFT JOIN batches ON batches.id = heard.batch
    WHERE NOT hosts.removed
    """,
)
REMOVED = "SELECT id FROM hosts WHERE removed ORDER BY id"
BATCHES = f"DELETE FROM batches WHERE id IN ({spans()} SELECT id {of_a_host('?')} LIMIT ?)"
SOME_BLOCKS = "SELECT id, count FROM blocks WHERE host = ? LIMIT ?"
BLOCKS = "DELETE FROM blocks WHERE id IN (SELECT value FROM json_each(?))"
DAYS = "DELETE FROM days WHERE id IN (SELECT id FROM days WHERE host = ? LIMIT ?)"
OF_A_HOST = ("tokens", "heard", "seen", "checks")
STATES = "DELETE FROM rule_states WHERE subject = 'host:' || ?1 OR subject GLOB 'host:' || ?1 || '/*'"
COUNT = "UPDATE meta SET value = value - ? WHERE key = 'batches'"
CHANGED = "UPDATE meta SET value = value + 1 WHERE key = 'hosts_changed'"
OPEN = "SELECT 1 FROM alerts WHERE host = ? AND resolved_at IS NULL"


def leaving(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)


def remove(connection: sqlite3.Connection, host: int) -> bool:
    """Within the caller's transaction: the host is in no list any more, and nobody comes in as it."""
    name = "name || ' (removed, ' || id || ')'"
    if not connection.execute(
        f"UPDATE hosts SET removed = 1, name = {name} WHERE id = ? AND NOT removed", [host]
    ).rowcount:
        return False
    for table in OF_A_HOST:
        connection.execute(f"DELETE FROM {table} WHERE host = ?", [host])
    connection.execute(CHANGED)
    return True


def forget(connection: sqlite3.Connection, written: Written) -> bool:
    """One piece of what removed hosts brought; False when there is no more to drop now."""
    for (host,) in connection.execute(REMOVED).fetchall():
        if _forget_samples(connection, host):
            return True
        _forget_host(connection, host)
        written.forget(host)
    return False


def _forget_samples(connection: sqlite3.Connection, host: int) -> bool:
    batches = connection.execute(BATCHES, [host, ROWS_AT_ONCE]).rowcount
    blocks = connection.execute(SOME_BLOCKS, [host, BLOCKS_AT_ONCE]).fetchall() if not batches else []
    if blocks:
        connection.execute(BLOCKS, [str([number for number, _ in blocks])])
        batches = sum(count for _, count in blocks)
    if batches:
        connection.execute(COUNT, [batches])
        return True
    return connection.execute(DAYS, [host, BLOCKS_AT_ONCE]).rowcount > 0


def _forget_host(connection: sqlite3.Connection, host: int) -> None:
    """Its row, once no alert of it is open any more: until then the judge, who is to end those, must know it."""
    if connection.execute(OPEN, [host]).fetchone() is not None:
        return
    connection.execute(STATES, [host])
    for table in OF_A_HOST:
        connection.execute(f"DELETE FROM {table} WHERE host = ?", [host])
    connection.execute("DELETE FROM hosts WHERE id = ?", [host])
