"""The thread that writes: it refuses what is too much, and gets over what goes wrong."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from collector.store import StoreError
from collector.stores.sqlite import connection as connections
from collector.stores.sqlite import writer as writers
from collector.stores.sqlite.connection import connect_writer
from collector.stores.sqlite.writer import Writer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "test.db"
    file.touch()
    connection = connect_writer(file)
    connection.execute(f"PRAGMA application_id = {connections.APPLICATION_ID}")
    connection.execute("CREATE TABLE kept (number INTEGER PRIMARY KEY, bytes BLOB) STRICT")
    connection.close()
    return file


@pytest.fixture
def undone() -> list[str]:
    return []


@pytest.fixture
async def writer(file: Path, undone: list[str]) -> AsyncGenerator[Writer, None]:
    writer = Writer(file, on_undo=lambda: undone.append(threading.current_thread().name))
    yield writer
    await writer.close()


def keep(number: int, size: int = 10) -> writers.Job[None]:
    def job(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO kept VALUES (?, ?)", [number, bytes(size)])

    return job


def kept(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]


async def test_every_write_is_on_disk_and_foreign_keys_hold(writer: Writer) -> None:
    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("synchronous", "foreign_keys", "journal_mode")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await writer.outside(pragmas) == [2, 1, "wal"]  # 2 is FULL


async def test_jobs_run_in_one_thread_in_the_order_they_were_given(writer: Writer) -> None:
    ran: list[tuple[int, str]] = []

    def note(number: int) -> writers.Job[None]:
        return lambda _: ran.append((number, threading.current_thread().name))

    await asyncio.gather(*(writer.write(note(number)) for number in range(100)))
    assert [number for number, _ in ran] == list(range(100))
    assert len({thread for _, thread in ran}) == 1
    assert threading.current_thread().name not in {thread for _, thread in ran}


async def test_a_job_that_fails_leaves_nothing_and_its_error_is_a_sentence(
    writer: Writer, undone: list[str]
) -> None:
    def halfway(connection: sqlite3.Connection) -> None:
        keep(1)(connection)
        raise ZeroDivisionError("no reason")

    with pytest.raises(StoreError, match="fault in the program: ZeroDivisionError: no reason") as refused:
        await writer.write(halfway)
    assert not refused.value.passing
    assert await writer.write(kept) == []
    assert len(undone) == 1
    assert undone[0].startswith("store-writer")


async def test_a_refusal_is_no_trouble_of_the_disk(writer: Writer) -> None:
    await writer.write(keep(1))
    with pytest.raises(StoreError, match="contradicts what is stored") as refused:
        await writer.write(keep(1))
    assert not refused.value.passing
    assert writer.trouble == ""


async def test_a_full_file_is_said_to_pass_and_does(writer: Writer, file: Path) -> None:
    def limit(pages: int) -> writers.Job[None]:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await writer.write(keep(1))
    await writer.outside(limit(20))
    with pytest.raises(StoreError, match="no room is left on the disk") as refused:
        await writer.write(keep(2, size=1_000_000))
    assert refused.value.passing
    assert str(file) in writer.trouble
    await writer.outside(limit(1_000_000))
    await writer.write(keep(3, size=1_000_000))
    assert writer.trouble == ""
    assert await writer.write(kept) == [1, 3]


async def test_a_database_that_another_program_locks_is_waited_for_a_while(
    writer: Writer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"another program keeps .* locked") as refused:
        await writer.write(keep(1))
    assert refused.value.passing
    assert "locked" in writer.trouble
    other.execute("ROLLBACK")
    other.close()
    await writer.write(keep(2))
    assert await writer.write(kept) == [2]


async def test_a_connection_that_cannot_be_trusted_any_more_is_opened_anew(writer: Writer) -> None:
    used: list[sqlite3.Connection] = []

    def fail(connection: sqlite3.Connection) -> None:
        keep(1)(connection)
        raise corrupt()

    await writer.outside(used.append)
    with pytest.raises(StoreError, match="is damaged"):
        await writer.write(fail)
    await writer.outside(used.append)
    assert used[0] is not used[1]
    await writer.write(keep(2))
    assert await writer.write(kept) == [2]


def corrupt() -> sqlite3.DatabaseError:
    """The error that SQLite itself raises for a damaged file."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET rootpage = 77")
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("SELECT * FROM t").fetchall()
    except sqlite3.DatabaseError as error:
        return error
    finally:
        connection.close()
    raise AssertionError("SQLite did not notice")


async def test_a_file_that_was_away_for_a_while_is_found_again(file: Path, undone: list[str]) -> None:
    away = file.with_suffix(".away")
    file.rename(away)
    writer = Writer(file, on_undo=lambda: undone.append(""))
    with pytest.raises(StoreError, match="cannot be opened") as refused:
        await writer.write(keep(1))
    assert refused.value.passing
    assert not file.exists()  # a store that lost its file does not begin an empty one
    away.rename(file)
    await writer.write(keep(1))
    assert writer.trouble == ""
    await writer.close()


async def test_no_more_than_so_many_writes_may_wait(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "QUEUE_MAX", 3)
    go = threading.Event()
    held = [asyncio.create_task(writer.write(lambda _: go.wait(10))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="3 writes wait") as refused:
        await writer.write(keep(1))
    assert refused.value.passing
    go.set()
    await asyncio.gather(*held)
    await writer.write(keep(1))


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_taken_away_is_not_written_to_until_it_is_back(
    file: Path, writer: Writer, replaced: bool
) -> None:
    await writer.write(keep(1))
    away = file.rename(file.with_name("away.db"))
    if replaced:
        file.write_bytes(away.read_bytes())
    with pytest.raises(StoreError, match="was moved away or replaced") as refused:
        await writer.write(keep(2))
    assert refused.value.passing
    assert writer.trouble == str(refused.value)
    away.replace(file)
    await writer.write(keep(3))
    assert writer.trouble == ""
    assert await writer.outside(kept) == [1, 3]
