"""Many rows by few statements: all of them, in their order."""

from __future__ import annotations

import sqlite3

import pytest

from collector.stores.sqlite.many import ROWS_AT_ONCE, Rows

UPSERT = Rows("INSERT INTO t (a, b)", 2, "ON CONFLICT (a) DO UPDATE SET b = excluded.b")


@pytest.mark.parametrize("count", [0, 1, 3, *ROWS_AT_ONCE, sum(ROWS_AT_ONCE), 3 * max(ROWS_AT_ONCE) - 1])
def test_every_row_is_written_once_and_in_order(count: int) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, a, b)")
    rows = [(number % 7, number) for number in range(count)]
    Rows("INSERT INTO t (a, b)", 2).write(connection, rows)
    assert connection.execute("SELECT a, b FROM t ORDER BY n").fetchall() == rows
    connection.close()


def test_of_two_rows_with_one_key_the_later_stands() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a PRIMARY KEY, b)")
    UPSERT.write(connection, [(number % 3, number) for number in range(100)])
    assert sorted(connection.execute("SELECT a, b FROM t")) == [(0, 99), (1, 97), (2, 98)]
    connection.close()
