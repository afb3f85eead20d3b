"""Files that older versions have written: each opens, changed to our schema, with a copy kept as it was."""

from __future__ import annotations

import contextlib
import gzip
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.caretaker import nobody
from collector.store import StoreError
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from collector.stores.sqlite.schema import STEPS
from tests.collector.stores.builders import DAY, NOW, enrolled, sealed
from tests.collector.stores.lived_in import TICKS, look
from tests.conftest import Needs
from tests.small_disk import small_disk

FILES = sorted(
    (Path(__file__).parents[3] / "data" / "stores").glob("*.db.gz"),
    key=lambda file: int(file.name.partition("-")[0]),
)
STEP_OF = {file: file.name.removesuffix(".db.gz").partition("-")[2] for file in FILES}
OLDER = [file for file in FILES if STEP_OF[file] != STEPS[-1].__name__]


def test_there_is_a_file_of_every_version() -> None:
    assert [file.name for file in FILES] == [
        f"{number}-{step.__name__}.db.gz" for number, step in enumerate(STEPS, start=1)
    ]


def unpack(file: Path, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    content = gzip.decompress(file.read_bytes())
    (folder / "watchkeeper.db").write_bytes(content)
    return content


def applied(file: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]


@pytest.mark.parametrize("role", ["collector", "tool"])
@pytest.mark.parametrize("file", FILES, ids=STEP_OF.get)
async def test_all_that_was_in_it_is_there_before_and_after_packing(
    tmp_path: Path, file: Path, role: str
) -> None:
    unpack(file, tmp_path)
    store = await open_store(tmp_path, role=role)  # type: ignore[arg-type]
    await look(store)
    await sealed(store, NOW + 2 * DAY)
    await look(store)
    await enrolled(store, "charlie")
    await store.close()
    store = await open_store(tmp_path, role="collector")
    assert len(await store.hosts.all()) == 3
    await store.close()


@pytest.mark.parametrize("file", OLDER, ids=STEP_OF.get)
async def test_a_copy_is_kept_of_what_was_there_before(tmp_path: Path, file: Path) -> None:
    unpack(file, tmp_path)
    await (await open_store(tmp_path, role="collector")).close()
    steps = 1 + FILES.index(file)
    copy = tmp_path / f"watchkeeper-before-{STEPS[steps].__name__}.db"
    assert applied(copy) == [step.__name__ for step in STEPS[:steps]]
    assert applied(tmp_path / "watchkeeper.db") == [step.__name__ for step in STEPS]
    assert copy.stat().st_mode & 0o077 == 0
    # Put back, it is a store again.
    copy.replace(tmp_path / "watchkeeper.db")
    store = await open_store(tmp_path, role="collector")
    await look(store)
    await store.close()


async def test_how_far_the_change_is_can_be_followed(tmp_path: Path) -> None:
    unpack(OLDER[-1], tmp_path)
    told: list[tuple[str, float | None]] = []
    store = await open_store(tmp_path, role="collector", told=lambda what, share: told.append((what, share)))
    await store.close()
    assert told == [
        ("copying the store before it is changed", 1.0),
        ("changing the store to the form of this version", None),
    ]
    await (
        await open_store(tmp_path, role="collector", told=lambda *_: pytest.fail("nothing is done"))
    ).close()


@pytest.mark.parametrize("file", FILES, ids=STEP_OF.get)
def test_it_is_looked_through_and_copied_as_it_is_without_being_changed(tmp_path: Path, file: Path) -> None:
    before = unpack(file, tmp_path)
    found = SqliteCaretaker(tmp_path).check(nobody)
    assert found.damage == []
    assert found.contents is not None
    assert [(host.name, host.batches) for host in found.contents.hosts] == [("alice", TICKS), ("bob", 1)]
    assert sum(tier.batches for tier in found.contents.tiers) == TICKS + 1
    copied = SqliteCaretaker(tmp_path).backup(tmp_path / "copy.db", nobody, replace=False)
    assert (copied.hosts, copied.batches) == (2, TICKS + 1)
    assert applied(copied.file) == [step.__name__ for step in STEPS[: 1 + FILES.index(file)]]
    assert (tmp_path / "watchkeeper.db").read_bytes() == before


async def test_a_file_of_this_version_is_opened_without_a_copy(tmp_path: Path) -> None:
    for _ in range(2):
        await (await open_store(tmp_path, role="collector")).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collector.lock", "watchkeeper.db"]


@pytest.fixture
def disk(needs: Needs, tmp_path: Path) -> Iterator[Path]:
    """Of one MiB."""
    with small_disk(tmp_path, needs, 1) as disk:
        yield disk


async def test_without_room_for_the_copy_nothing_is_changed(disk: Path) -> None:
    size = len(unpack(OLDER[0], disk))
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1024 * 1024 - size - size // 2))
    with pytest.raises(StoreError, match="make room") as refused:
        await open_store(disk, role="collector")
    assert refused.value.passing
    assert applied(disk / "watchkeeper.db") == [STEP_OF[OLDER[0]]]
    ballast.unlink()
    store = await open_store(disk, role="collector")
    await look(store)
    await store.close()


async def test_what_a_killed_start_left_of_its_copy_takes_no_room_from_the_next(disk: Path) -> None:
    size = len(unpack(OLDER[0], disk))
    killed = disk / f"watchkeeper-before-{STEPS[1].__name__}.part"
    killed.write_bytes(bytes(1024 * 1024 - size - size // 2))
    store = await open_store(disk, role="collector")
    await look(store)
    await store.close()
    assert not killed.exists()
    assert killed.with_suffix(".db").exists()


async def test_a_copy_that_breaks_off_leaves_its_room_to_others(tmp_path: Path) -> None:
    unpack(OLDER[-1], tmp_path)

    def told(_what: str, _share: float | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await open_store(tmp_path, role="collector", told=told)
    assert list(tmp_path.glob("watchkeeper-before-*")) == []
    assert applied(tmp_path / "watchkeeper.db") == [step.__name__ for step in STEPS[:-1]]
