"""Many rows written by few statements.

Python lets go of its lock around each step that SQLite makes, and the thread that writes then has to wait until the
event loop lets go of it in turn. So what counts is the number of statements: one for each row took three times the CPU
and ten times as long while pushes were coming in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

ROWS_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)
"""Few sizes, so that SQLite has the statements for all of them ready after a while."""


class Rows:
    """A statement about a list of rows: `before VALUES (…), (…), … after`, for as many as there are."""

    def __init__(self, before: str, columns: int, after: str = "") -> None:
        row = f"({', '.join('?' * columns)})"
        self._texts = [
            (count, f"{before} VALUES {', '.join([row] * count)} {after}") for count in ROWS_AT_ONCE
        ]

    def write(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Write them in their order."""
        at = 0
        for count, text in self._texts:
            while at + count <= len(rows):
                connection.execute(text, list(chain.from_iterable(rows[at : at + count])))
                at += count
