"""A copy of the whole store: whole or not there, of one moment, sound, and put back without losing what was there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.store import StoreError
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from collector.stores.sqlite.connection import connect_writer
from rules.model import Outcome
from tests.collector.stores.builders import NOW, batch, enrolled, incident, notice
from tests.conftest import Needs
from tests.small_disk import small_disk

DISK_MIB = 5
SAMPLES = {f"series_{place}": 1.0 for place in range(70)}


def nobody(_what: str, _share: float | None) -> None:
    """Told of everything, does nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


@pytest.fixture
def caretaker(folder: Path) -> SqliteCaretaker:
    return SqliteCaretaker(folder)


async def fill(folder: Path, host: str = "alice", batches: int = 100) -> None:
    store = await open_store(folder, role="collector")
    number = (await enrolled(store, host)).id
    await store.commit([batch(number, NOW + place, SAMPLES) for place in range(batches)])
    await store.close()


async def hosts_in(folder: Path) -> list[str]:
    store = await open_store(folder, role="collector")
    names = [host.name for host in await store.hosts.all()]
    await store.close()
    return names


def ask(file: Path, question: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(question).fetchall()


def files(folder: Path) -> set[str]:
    """Apart from those that come and go as the database is read, and say nothing while they are empty."""
    passing = {"collector.lock", "watchkeeper.db-shm"}
    return {
        path.name for path in folder.iterdir() if path.stat().st_size or path.suffix != ".db-wal"
    } - passing


def damage(file: Path) -> None:
    """Overwrite the root page of the hosts."""
    ((page,),) = ask(file, "SELECT rootpage FROM sqlite_schema WHERE name = 'hosts'")
    assert isinstance(page, int)
    with file.open("rb+") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xa5" * 4096)


# --- backup -----------------------------------------------------------------------------------------------------------


async def test_a_copy_is_one_file_with_all_that_was_committed(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    store = await open_store(folder, role="collector")
    host = (await enrolled(store)).id
    await store.commit([batch(host, NOW + place, SAMPLES) for place in range(100)])
    copied = caretaker.backup(copy, nobody, replace=False)
    await store.close()
    assert (copied.file, copied.hosts, copied.batches, copied.newest_at) == (copy, 1, 100, NOW + 99 + 50)
    assert copied.size_bytes == copy.stat().st_size
    assert copy.stat().st_mode & 0o777 == 0o600
    assert files(copy.parent) == {"copy.db", "state"}
    with contextlib.closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT count(*) FROM batches").fetchone() == (100,)


async def test_what_is_written_while_it_is_copied_is_in_it_whole_or_not_at_all(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder, batches=15_000)
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        """Pairs that are to be seen together, in pages far from each other."""
        with contextlib.closing(connect_writer(folder / "watchkeeper.db")) as connection:
            connection.execute("INSERT INTO meta VALUES ('first', 0), ('second', 0)")
            connection.execute("CREATE TABLE other (number INTEGER PRIMARY KEY, bytes BLOB)")
            number = 0
            while not stop.is_set():
                number += 1
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE meta SET value = ? WHERE key = 'first'", [number])
                connection.execute("INSERT INTO other VALUES (?, ?)", [number, bytes(20_000)])
                connection.execute("UPDATE meta SET value = ? WHERE key = 'second'", [number])
                connection.execute("COMMIT")
                written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(10)
        seen: list[int] = []

        def told(what: str, _share: float | None) -> None:
            if what == "copying":
                ((number,),) = ask(folder / "watchkeeper.db", "SELECT value FROM meta WHERE key = 'second'")
                assert isinstance(number, int)
                seen.append(number)

        caretaker.backup(copy, told, replace=False)
    finally:
        stop.set()
        thread.join()
    assert len(seen) > 5
    assert seen[-1] > seen[0]  # it did go on being written
    ((first,), (second,)) = ask(copy, "SELECT value FROM meta WHERE key IN ('first', 'second')")
    ((last, count),) = ask(copy, "SELECT max(number), count(*) FROM other")
    assert first == second == last == count
    assert isinstance(last, int)
    assert last <= seen[0]


async def test_a_file_that_is_there_is_only_replaced_on_request(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder)
    copy.write_text("dear")
    with pytest.raises(StoreError, match=r"copy\.db is there already.*--force") as refused:
        caretaker.backup(copy, nobody, replace=False)
    assert not refused.value.passing
    assert copy.read_text() == "dear"
    assert caretaker.backup(copy, nobody, replace=True).hosts == 1


@pytest.mark.parametrize("target", ["state/watchkeeper.db", "link.db", "state"])
async def test_the_store_itself_is_never_written_over(
    tmp_path: Path, folder: Path, caretaker: SqliteCaretaker, target: str
) -> None:
    await fill(folder)
    (tmp_path / "link.db").symlink_to(folder / "watchkeeper.db")
    with pytest.raises(StoreError, match="is no file for a copy"):
        caretaker.backup(tmp_path / target, nobody, replace=True)
    assert await hosts_in(folder) == ["alice"]


def test_where_there_is_no_store_there_is_nothing_to_copy(copy: Path, caretaker: SqliteCaretaker) -> None:
    with pytest.raises(StoreError, match="there is no store in"):
        caretaker.backup(copy, nobody, replace=False)
    assert not copy.exists()


def test_a_folder_in_the_place_of_the_store_is_no_store(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    (folder / "watchkeeper.db").mkdir(parents=True)
    with pytest.raises(StoreError, match="there is no store in"):
        caretaker.backup(copy, nobody, replace=False)
    with pytest.raises(StoreError, match="there is no store in"):
        caretaker.check(nobody)
    assert not copy.exists()


async def test_a_folder_for_the_copy_that_is_not_there_is_named(
    tmp_path: Path, folder: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder)
    with pytest.raises(StoreError, match=rf"there is no folder {tmp_path}/no/where for a copy"):
        caretaker.backup(tmp_path / "no" / "where" / "copy.db", nobody, replace=False)


async def test_a_store_that_cannot_be_read_is_named_and_not_the_copy(
    tmp_path: Path, folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder)
    (folder / "watchkeeper.db-wal").mkdir()
    with pytest.raises(StoreError, match=rf"{folder}/watchkeeper\.db "):
        caretaker.backup(copy, nobody, replace=False)


@pytest.mark.parametrize("moment", ["copying", "checking"])
async def test_a_copy_that_breaks_off_leaves_nothing_behind_and_an_earlier_one_as_it_was(
    folder: Path, copy: Path, caretaker: SqliteCaretaker, moment: str
) -> None:
    await fill(folder, batches=20_000)
    copy.write_text("dear")

    def told(what: str, _share: float | None) -> None:
        if what == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caretaker.backup(copy, told, replace=True)
    assert copy.read_text() == "dear"
    assert files(copy.parent) == {"copy.db", "state"}


async def test_what_a_killed_backup_left_is_used_up_by_the_next(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder)
    copy.with_name("copy.db.part").write_bytes(b"\xa5" * 100_000)
    assert caretaker.backup(copy, nobody, replace=False).batches == 100
    assert files(copy.parent) == {"copy.db", "state"}


async def test_two_at_once_do_not_write_one_file(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder)
    part = copy.with_name("copy.db.part")
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process writes") as refused:
            caretaker.backup(copy, nobody, replace=False)
    assert refused.value.passing
    assert part.exists()


async def test_a_store_that_is_damaged_makes_no_copy(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder)
    damage(folder / "watchkeeper.db")
    with pytest.raises(StoreError, match="damaged") as refused:
        caretaker.backup(copy, nobody, replace=False)
    assert not refused.value.passing
    assert files(copy.parent) == {"state"}


@pytest.fixture
def disk(tmp_path: Path, needs: Needs) -> Iterator[Path]:
    with small_disk(tmp_path, needs, DISK_MIB) as disk:
        yield disk


async def test_a_disk_without_room_is_told_before_anything_is_written(
    folder: Path, caretaker: SqliteCaretaker, disk: Path
) -> None:
    await fill(folder, batches=10_000)
    with pytest.raises(
        StoreError, match=r"the copy takes .* MiB and the disk that holds .* has 5.0 MiB left"
    ):
        caretaker.backup(disk / "copy.db", nobody, replace=False)
    assert list(disk.iterdir()) == []


async def test_a_disk_that_becomes_full_meanwhile_is_said_and_leaves_all_as_it_was(
    folder: Path, caretaker: SqliteCaretaker, disk: Path
) -> None:
    await fill(folder, batches=4_000)

    def told(_what: str, _share: float | None) -> None:
        with contextlib.suppress(OSError), (disk / "other").open("wb") as other:
            other.write(bytes(DISK_MIB * 1024 * 1024))

    with pytest.raises(StoreError, match=rf"no room is left on .* {disk}/copy\.db; free some$"):
        caretaker.backup(disk / "copy.db", told, replace=False)
    assert files(disk) == {"other"}


# --- restore ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def made(folder: Path, copy: Path, caretaker: SqliteCaretaker) -> Path:
    """A copy of a store that knows alice."""
    await fill(folder)
    caretaker.backup(copy, nobody, replace=False)
    return copy


async def test_a_copy_is_put_where_nothing_was(tmp_path: Path, made: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "state"
    restored = SqliteCaretaker(elsewhere).restore(made, nobody, replace=False)
    assert restored.before is None
    assert restored.copied.batches == 100
    assert files(elsewhere) == {"watchkeeper.db"}
    assert await hosts_in(elsewhere) == ["alice"]


async def test_what_was_there_is_kept_beside_it(
    tmp_path: Path, folder: Path, made: Path, caretaker: SqliteCaretaker
) -> None:
    store = await open_store(folder, role="collector")
    await enrolled(store, "bob")
    await store.close()
    restored = caretaker.restore(made, nobody, replace=False)
    assert restored.before == folder / "watchkeeper.db.before-restore"
    assert files(folder) == {"watchkeeper.db", "watchkeeper.db.before-restore"}
    assert await hosts_in(folder) == ["alice"]
    (tmp_path / "before").mkdir()
    shutil.copy(restored.before, tmp_path / "before" / "watchkeeper.db")
    assert await hosts_in(tmp_path / "before") == ["alice", "bob"]


async def test_what_an_earlier_restore_put_aside_is_only_let_go_on_request(
    folder: Path, made: Path, caretaker: SqliteCaretaker
) -> None:
    caretaker.restore(made, nobody, replace=False)
    with pytest.raises(StoreError, match=r"before-restore is there from an earlier restore.*--force"):
        caretaker.restore(made, nobody, replace=False)
    caretaker.restore(made, nobody, replace=True)
    assert await hosts_in(folder) == ["alice"]


async def test_a_collector_at_work_is_not_robbed_of_its_store(
    folder: Path, made: Path, caretaker: SqliteCaretaker
) -> None:
    store = await open_store(folder, role="collector")
    with pytest.raises(StoreError, match=r"a collector .* is at work in"):
        caretaker.restore(made, nobody, replace=True)
    await enrolled(store, "bob")
    await store.close()
    assert await hosts_in(folder) == ["alice", "bob"]


async def test_a_second_restore_is_told_of_the_first(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder, batches=5_000)
    caretaker.backup(copy, nobody, replace=False)
    refused: list[str] = []

    def told(what: str, _share: float | None) -> None:
        if what == "copying":
            with pytest.raises(StoreError) as error:
                SqliteCaretaker(folder).restore(copy, nobody, replace=True)
            refused.append(str(error.value))

    caretaker.restore(copy, told, replace=False)
    assert refused[0].startswith(f"a restore (process {os.getpid()}) is at work in {folder}")
    assert await hosts_in(folder) == ["alice"]


async def test_a_restore_is_taken_back_by_restoring_what_it_put_aside(
    folder: Path, made: Path, caretaker: SqliteCaretaker
) -> None:
    store = await open_store(folder, role="collector")
    await enrolled(store, "bob")
    await store.close()
    before = caretaker.restore(made, nobody, replace=False).before
    assert before is not None
    caretaker.restore(before, nobody, replace=True)
    assert await hosts_in(folder) == ["alice", "bob"]
    assert files(folder) == {"watchkeeper.db", "watchkeeper.db.before-restore"}


def cut_short(file: Path) -> None:
    with file.open("rb+") as opened:
        opened.truncate(file.stat().st_size // 2)


def of_a_newer_version(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('watchkeeper', 'flying', '')"
        )


def of_another_program(file: Path) -> None:
    file.unlink()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE recipes (name)")


def no_database(file: Path) -> None:
    file.write_bytes(b"hello\n" * 1_000)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (damage, "damaged"),
        (cut_short, "damaged"),
        (of_a_newer_version, r"written by a newer Watchkeeper \(it has flying\)"),
        (of_another_program, "is no copy of a Watchkeeper store"),
        (no_database, "is damaged, or no database"),
        (Path.unlink, "there is no file"),
    ],
)
async def test_a_copy_that_will_not_do_is_refused_and_the_store_left_as_it_was(
    folder: Path, made: Path, caretaker: SqliteCaretaker, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(made)
    before = (folder / "watchkeeper.db").read_bytes()
    with pytest.raises(StoreError, match=words) as refused:
        caretaker.restore(made, nobody, replace=True)
    assert not refused.value.passing
    assert (folder / "watchkeeper.db").read_bytes() == before
    assert files(folder) == {"watchkeeper.db"}


async def test_a_store_beyond_repair_is_put_aside_as_it_is_with_its_log(
    folder: Path, made: Path, caretaker: SqliteCaretaker
) -> None:
    database, log = folder / "watchkeeper.db", folder / "watchkeeper.db-wal"
    database.write_bytes(b"hello\n" * 1_000)
    log.write_bytes(b"log")
    caretaker.restore(made, nobody, replace=False)
    assert files(folder) == {
        "watchkeeper.db",
        "watchkeeper.db.before-restore",
        "watchkeeper.db.before-restore-wal",
    }
    assert (folder / "watchkeeper.db.before-restore").read_bytes().startswith(b"hello")
    assert await hosts_in(folder) == ["alice"]


async def test_the_log_of_a_killed_collector_is_kept_and_never_read_into_what_is_restored(
    tmp_path: Path, folder: Path, made: Path, caretaker: SqliteCaretaker
) -> None:
    store = await open_store(folder, role="collector")
    await enrolled(store, "bob")
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed)  # as a kill leaves it: bob is in the log alone
    await store.close()
    (killed / "watchkeeper.db-shm").unlink()
    restored = SqliteCaretaker(killed).restore(made, nobody, replace=False)
    assert await hosts_in(killed) == ["alice"]
    assert restored.before is not None
    assert ask(restored.before, "SELECT name FROM hosts ORDER BY id") == [("alice",), ("bob",)]


async def test_a_log_without_its_database_is_not_read_into_what_is_restored(
    tmp_path: Path, folder: Path, made: Path
) -> None:
    store = await open_store(folder, role="collector")
    await enrolled(store, "bob")
    robbed = tmp_path / "robbed"
    robbed.mkdir()
    shutil.copy(folder / "watchkeeper.db-wal", robbed)
    await store.close()
    SqliteCaretaker(robbed).restore(made, nobody, replace=False)
    assert await hosts_in(robbed) == ["alice"]


async def test_what_is_decided_after_a_restore_is_no_repeat_of_what_was_decided_before(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    store = await open_store(folder, role="collector")
    await store.commit([Outcome(incidents=[incident(1)], notices=[notice("n1"), notice("n2")])])
    assert await store.notices.sending("n1", NOW)
    await store.notices.sent("n1", NOW, "ok")
    instance = (await store.remember(NOW)).instance
    caretaker.backup(copy, nobody, replace=False)
    await store.close()
    caretaker.restore(copy, nobody, replace=False)
    store = await open_store(folder, role="collector")
    assert (await store.remember(NOW)).instance != instance
    assert {row.notice.id: row.perhaps_again for row in await store.notices.recent(10)} == {
        "n1": False,
        "n2": True,
    }
    await store.close()


async def test_a_restore_that_breaks_off_leaves_the_store_as_it_was(
    folder: Path, copy: Path, caretaker: SqliteCaretaker
) -> None:
    await fill(folder, batches=20_000)
    caretaker.backup(copy, nobody, replace=False)

    def told(_what: str, _share: float | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caretaker.restore(copy, told, replace=False)
    assert files(folder) == {"watchkeeper.db"}
    assert await hosts_in(folder) == ["alice"]


async def test_a_restored_store_belongs_to_the_owner_of_its_folder(
    tmp_path: Path, made: Path, needs: Needs
) -> None:
    needs.that(os.geteuid() == 0, "needs root, who alone may give files away")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.chown(elsewhere, 65_534, 65_534)
    SqliteCaretaker(elsewhere).restore(made, nobody, replace=False)
    assert (elsewhere / "watchkeeper.db").stat().st_uid == 65_534
