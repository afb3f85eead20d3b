"""The third step of the schema: what agents found when they were asked to look closer, kept with its incident."""

from __future__ import annotations

from sqlite_utils import Database

from collector.store import EvidenceRow
from collector.stores.sqlite.tables import Table

EVIDENCE = Table("evidence", EvidenceRow)
STEP = (
    """
    CREATE TABLE evidence (
        alert INTEGER PRIMARY KEY,
        incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
        host INTEGER NOT NULL,
        arrived_at INTEGER NOT NULL,
        found TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX evidence_of_an_incident ON evidence (incident)",
)
# An incident may have been forgotten meanwhile; an agent that did not hear our answer says the same again.
KEEP = """
    INSERT INTO evidence (alert, incident, host, arrived_at, found)
    SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM incidents WHERE id = ?2)
    ON CONFLICT (alert) DO NOTHING
"""
OF_INCIDENT = f"SELECT {EVIDENCE.names} FROM evidence WHERE incident = ? ORDER BY arrived_at, alert LIMIT ?"


def evidence(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)
