"""The second step of the schema: samples by column after an hour, in buckets for years, and a term for everything."""

from __future__ import annotations

from sqlite_utils import Database

COLUMNAR = (
    # A host's hour, or a part of one that was too large. `layout` names the series of `data`, sorted. `summed_up` says
    # whether the day's buckets hold what is in it now. No foreign key to layouts here either, for the same reason.
    """
    CREATE TABLE blocks (
        id INTEGER PRIMARY KEY,
        host INTEGER NOT NULL REFERENCES hosts,
        start INTEGER NOT NULL,
        part INTEGER NOT NULL,
        count INTEGER NOT NULL,
        layout INTEGER NOT NULL,
        summed_up INTEGER NOT NULL DEFAULT 0,
        data BLOB NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX blocks_of_a_host_by_time ON blocks (host, start, part)",
    "CREATE INDEX blocks_by_age ON blocks (start)",
    "CREATE INDEX blocks_to_sum_up ON blocks (host, start) WHERE NOT summed_up",
    """
    CREATE TABLE days (
        id INTEGER PRIMARY KEY,
        host INTEGER NOT NULL REFERENCES hosts,
        start INTEGER NOT NULL,
        data BLOB NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX days_of_a_host_by_time ON days (host, start)",
    "CREATE INDEX days_by_age ON days (start)",
    # Samples from before the first are gone, or about to go; transitions recorded before the second may be removed.
    "INSERT INTO meta VALUES ('samples_from', 0), ('history_from', 0)",
    "DROP TRIGGER transitions_are_never_removed",
    """
    CREATE TRIGGER transitions_are_not_removed_before_their_time BEFORE DELETE ON transitions
    WHEN OLD.recorded_at >= (SELECT value FROM meta WHERE key = 'history_from') BEGIN
        SELECT raise(ABORT, 'a transition is never removed before its time');
    END
    """,
    "CREATE INDEX transitions_without_an_alert ON transitions (recorded_at) WHERE alert IS NULL",
    "CREATE INDEX rule_states_of_an_alert ON rule_states (alert) WHERE alert IS NOT NULL",
)


def columnar(db: Database) -> None:
    for statement in COLUMNAR:
        db.conn.execute(statement)
