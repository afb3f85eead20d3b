"""The tables of the database, and how a file comes to have them.

A migration, once released, is never changed: what is to be different comes as another one after it.
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from collector.caretaker import Told, nobody
from collector.store import StoreError
from collector.stores.sqlite.advice import advice
from collector.stores.sqlite.columnar import columnar
from collector.stores.sqlite.connection import APPLICATION_ID
from collector.stores.sqlite.evidence import evidence
from collector.stores.sqlite.folder import Folder
from collector.stores.sqlite.fresh import spread
from collector.stores.sqlite.jobs import jobs
from collector.stores.sqlite.joins import joins
from collector.stores.sqlite.leaving import leaving
from collector.stores.sqlite.people import people
from collector.stores.sqlite.policy import policy
from collector.stores.sqlite.precaution import keep_a_copy
from collector.stores.sqlite.promised import promises
from collector.stores.sqlite.prompt import prompt
from collector.stores.sqlite.remarks import remarks
from collector.stores.sqlite.settings import settings

SMALL_TABLES = ("hosts", "heard", "tokens", "seen", "checks", "rule_states", "incidents")
"""What must be sound before a collector starts: read in milliseconds, however many samples there are."""

GROUND_FLOOR = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE hosts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        labels TEXT NOT NULL,
        facts TEXT NOT NULL DEFAULT '{}',
        own_labels TEXT NOT NULL DEFAULT '[]',
        enrolled_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE tokens (
        id TEXT PRIMARY KEY,
        host INTEGER NOT NULL REFERENCES hosts,
        secret_sha256 BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    # `digest` is of `names`, a JSON list. No batch of a layout was sampled after `used_until`.
    """
    CREATE TABLE layouts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        names TEXT NOT NULL,
        used_until INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX layouts_no_longer_used ON layouts (used_until)",
    # Batches are appended in the order of their arrival. Keeping them in the order of host and time instead would
    # spare the index, but rewrite a page per host and commit: three times the bytes and twice the time (measured).
    # `layout` is no foreign key, since removing a layout would then look through all batches.
    """
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY,
        host INTEGER NOT NULL REFERENCES hosts,
        at INTEGER NOT NULL,
        arrived_at INTEGER NOT NULL,
        every_ms INTEGER NOT NULL,
        layout INTEGER NOT NULL,
        samples BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX batches_of_a_host_by_time ON batches (host, at)",
    # What changes with every batch of a host, apart from what hardly ever does: so a commit rewrites few pages.
    """
    CREATE TABLE heard (
        host INTEGER PRIMARY KEY REFERENCES hosts,
        arrived_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        every_ms INTEGER NOT NULL,
        skew_ms INTEGER NOT NULL,
        flags TEXT NOT NULL,
        batch INTEGER NOT NULL
    ) STRICT
    """,
    # `ranges` is pairs of 64-bit integers, little endian.
    """
    CREATE TABLE seen (
        host INTEGER NOT NULL REFERENCES hosts,
        spool TEXT NOT NULL,
        below INTEGER NOT NULL,
        ranges BLOB NOT NULL,
        arrived_at INTEGER NOT NULL,
        PRIMARY KEY (host, spool)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TRIGGER spools_of_a_host_are_bounded AFTER INSERT ON seen BEGIN
        DELETE FROM seen WHERE host = NEW.host AND spool IN (
            SELECT spool FROM seen WHERE host = NEW.host ORDER BY arrived_at DESC LIMIT -1 OFFSET 1000
        );
    END
    """,
    """
    CREATE TABLE checks (
        host INTEGER NOT NULL REFERENCES hosts,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        at INTEGER NOT NULL,
        ms REAL,
        detail TEXT NOT NULL,
        PRIMARY KEY (host, id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TRIGGER checks_of_a_host_are_bounded AFTER INSERT ON checks BEGIN
        DELETE FROM checks WHERE host = NEW.host AND id IN (
            SELECT id FROM checks WHERE host = NEW.host ORDER BY at DESC LIMIT -1 OFFSET 1000
        );
    END
    """,
    """
    CREATE TABLE incidents (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        title TEXT NOT NULL,
        severity TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        round INTEGER NOT NULL,
        told TEXT NOT NULL,
        resolved_at INTEGER,
        acknowledged_at INTEGER,
        acknowledged_by TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX incidents_open ON incidents (opened_at) WHERE resolved_at IS NULL",
    "CREATE INDEX incidents_resolved_newest_first ON incidents (opened_at) WHERE resolved_at IS NOT NULL",
    "CREATE INDEX incidents_resolved_of_late ON incidents (resolved_at) WHERE resolved_at IS NOT NULL",
    """
    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY,
        rule TEXT NOT NULL,
        subject TEXT NOT NULL,
        host INTEGER NOT NULL,
        severity TEXT NOT NULL,
        since INTEGER NOT NULL,
        fired_at INTEGER NOT NULL,
        summary TEXT NOT NULL,
        incident INTEGER NOT NULL REFERENCES incidents,
        value REAL,
        "limit" REAL,
        runbook TEXT NOT NULL,
        resolved_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX alerts_open ON alerts (host) WHERE resolved_at IS NULL",
    "CREATE INDEX alerts_of_an_incident ON alerts (incident)",
    """
    CREATE TABLE rule_states (
        rule TEXT NOT NULL,
        subject TEXT NOT NULL,
        state TEXT NOT NULL,
        since INTEGER NOT NULL,
        severity TEXT,
        value REAL,
        alert INTEGER REFERENCES alerts,
        levels TEXT NOT NULL,
        gone_since INTEGER,
        PRIMARY KEY (rule, subject)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE transitions (
        id INTEGER PRIMARY KEY,
        rule TEXT NOT NULL,
        subject TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        severity TEXT,
        value REAL,
        late INTEGER NOT NULL,
        why TEXT NOT NULL,
        alert INTEGER REFERENCES alerts
    ) STRICT
    """,
    "CREATE INDEX transitions_of_an_alert ON transitions (alert) WHERE alert IS NOT NULL",
    """
    CREATE TRIGGER transitions_are_never_altered BEFORE UPDATE ON transitions BEGIN
        SELECT raise(ABORT, 'a transition is never altered');
    END
    """,
    """
    CREATE TRIGGER transitions_are_never_removed BEFORE DELETE ON transitions BEGIN
        SELECT raise(ABORT, 'a transition is never removed');
    END
    """,
    # `n` is the order in which notices were owed.
    """
    CREATE TABLE notices (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        incident INTEGER NOT NULL REFERENCES incidents,
        channel TEXT NOT NULL,
        reason TEXT NOT NULL,
        severity TEXT NOT NULL,
        host TEXT NOT NULL,
        title TEXT NOT NULL,
        text TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        resolved_at INTEGER,
        alerts TEXT NOT NULL,
        delivery TEXT NOT NULL DEFAULT 'waiting',
        tries INTEGER NOT NULL DEFAULT 0,
        next_try_at INTEGER NOT NULL DEFAULT 0,
        tried_at INTEGER,
        sent_at INTEGER,
        answer TEXT NOT NULL DEFAULT '',
        perhaps_again INTEGER NOT NULL DEFAULT 0,
        CHECK (delivery IN ('waiting', 'sending', 'sent', 'failed'))
    ) STRICT
    """,
    """
    CREATE INDEX notices_unfinished ON notices (channel, incident, n, delivery, next_try_at)
        WHERE delivery IN ('waiting', 'sending')
    """,
    "CREATE INDEX notices_of_an_incident ON notices (incident)",
    "CREATE INDEX notices_counted ON notices (channel, delivery)",
    # For people with a SQL prompt: how each host was last heard.
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
    """,
    "INSERT INTO meta VALUES ('batches', 0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
)


def ground_floor(db: Database) -> None:
    for statement in GROUND_FLOOR:
        db.conn.execute(statement)
    db.conn.execute("INSERT INTO meta VALUES ('instance', ?)", [secrets.token_hex(8)])


STEPS = (
    ground_floor,
    columnar,
    evidence,
    remarks,
    people,
    promises,
    settings,
    jobs,
    policy,
    advice,
    leaving,
    joins,
    prompt,
    spread,
)
MIGRATIONS = Migrations("watchkeeper")
for step in STEPS:
    MIGRATIONS()(step)


def prepare(connection: sqlite3.Connection, folder: Folder, told: Told = nobody) -> None:
    """Bring the file up to our schema and see that it is sound. For whoever holds the folder."""
    if pending(connection, folder.database):
        db = _database(connection)
        if MIGRATIONS.applied(db):
            keep_a_copy(connection, folder, MIGRATIONS.pending(db)[0].name, told)
            told("changing the store to the form of this version", None)
        with db.atomic():  # one for all steps: a start that is cut short leaves the file as it was
            MIGRATIONS.apply(db)
    for table in SMALL_TABLES:
        for (finding,) in connection.execute(f"PRAGMA quick_check({table})"):
            if finding != "ok":
                raise StoreError(
                    f"{folder.database} is damaged ({finding}); put a good copy in its place, "
                    "or move it away to begin anew",
                    passing=False,
                )


def prepare_beside_a_collector(connection: sqlite3.Connection, folder: Folder, told: Told = nobody) -> None:
    """Bring the file up to our schema unless somebody else holds the folder: then it must have it already."""
    if not pending(connection, folder.database):
        return
    try:
        folder.hold()
    except StoreError as held:
        raise StoreError(f"the database there is not of this version of Watchkeeper: {held}") from held
    try:
        prepare(connection, folder, told)
    finally:
        folder.release()


def pending(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether migrations are to be made. StoreError when a newer version has made some that we do not know."""
    ours = {step.__name__ for step in STEPS}
    applied = {migration.name for migration in MIGRATIONS.applied(_database(connection))}
    if unknown := applied - ours:
        raise StoreError(
            f"{database} was written by a newer Watchkeeper (it has {', '.join(sorted(unknown))}); "
            "install that version, or put back a copy made before",
            passing=False,
        )
    return applied != ours


def _database(connection: sqlite3.Connection) -> Database:
    return Database(connection, execute_plugins=False)
