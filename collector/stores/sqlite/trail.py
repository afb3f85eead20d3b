"""The audit trail: one row more, by itself or in the transaction of the change that it is about."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from collector.store.people import AuditRow
from collector.store.trail import Deed, Entry, Slip
from collector.stores.sqlite.tables import Table
from rules.model import Outcome

T = TypeVar("T")
AUDIT = Table("audit", AuditRow)
RECORD = f"""
    INSERT INTO audit (at, who, what, before, after, address, request_id)
    VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING {AUDIT.names.replace("audit.", "")}
"""


def add(connection: sqlite3.Connection, entry: Entry) -> AuditRow:
    values = [getattr(entry, name) for name in Entry.__struct_fields__]
    return AUDIT.value(connection.execute(RECORD, values).fetchone())


def with_slip(job: Callable[[sqlite3.Connection], T], slip: Slip) -> Callable[[sqlite3.Connection], T]:
    """`job`, and what the slip says of it."""

    def both(connection: sqlite3.Connection) -> T:
        answer = job(connection)
        for entry in slip.entries(answer):
            add(connection, entry)
        return answer

    return both


def keep(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    """What is to be said of those that somebody did. Nearly all come of batches, and this is asked of each of them."""
    for outcome in outcomes:
        if type(outcome) is Deed:
            for entry in outcome.entries:
                add(connection, entry)
