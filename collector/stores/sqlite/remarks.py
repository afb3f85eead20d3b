"""A step of the schema: what people do to incidents, and what an incident and a rule's state have to know of it."""

from __future__ import annotations

from sqlite_utils import Database

from collector.stores.sqlite.tables import Table
from rules.model import Remark

REMARKS = Table("remarks", Remark)
STEP = (
    """
    CREATE TABLE remarks (
        id INTEGER PRIMARY KEY,
        incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX remarks_of_an_incident ON remarks (incident)",
    """
    CREATE TRIGGER remarks_are_never_altered BEFORE UPDATE ON remarks BEGIN
        SELECT raise(ABORT, 'a remark is never altered');
    END
    """,
    # They go with their incident: by then it is not there any more.
    """
    CREATE TRIGGER remarks_are_never_removed BEFORE DELETE ON remarks
    WHEN EXISTS (SELECT 1 FROM incidents WHERE id = OLD.incident) BEGIN
        SELECT raise(ABORT, 'a remark is removed with its incident only');
    END
    """,
    "ALTER TABLE incidents ADD COLUMN assignee TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE incidents ADD COLUMN snoozed_until INTEGER",
    "ALTER TABLE incidents ADD COLUMN opened_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE incidents ADD COLUMN resolved_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE incidents ADD COLUMN text TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE incidents ADD COLUMN services TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE incidents ADD COLUMN edited TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE incidents ADD COLUMN postmortem TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE rule_states ADD COLUMN hushed TEXT",
)
OF_INCIDENT = f"""
    SELECT * FROM (SELECT {REMARKS.names}, id FROM remarks WHERE incident = ? ORDER BY id DESC LIMIT ?)
    ORDER BY at, id
"""
PUBLISHED = f"SELECT {REMARKS.names} FROM remarks WHERE kind = 'published' ORDER BY id DESC LIMIT ?"


def remarks(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)
