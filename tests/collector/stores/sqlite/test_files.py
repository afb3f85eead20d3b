"""The file: what may be in it, what may not, and what is said of it in words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from collector.store import Keep, StoreError
from collector.stores.sqlite import open_store, schema
from collector.stores.sqlite.connection import APPLICATION_ID
from rules.model import Outcome
from tests.collector.stores.builders import DAY, NOW, TICK, batch, enrolled, forgotten, sealed, transition

ROLES = pytest.mark.parametrize("role", ["collector", "tool"])
Role = Literal["collector", "tool"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watchkeeper.db"


@contextlib.contextmanager
def connected(file: Path) -> Iterator[sqlite3.Connection]:
    """As somebody with a SQL prompt."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


async def filled(folder: Path) -> None:
    store = await open_store(folder, role="collector")
    host = await enrolled(store)
    for number in range(20):
        samples = {f"series_{place}": 1.0 for place in range(70)}
        await store.commit([batch(host.id, NOW + number * 100 + place, samples) for place in range(100)])
    await store.close()


async def refusal(folder: Path, role: Role = "collector") -> StoreError:
    with pytest.raises(StoreError) as refused:
        await open_store(folder, role=role)
    assert str(folder) in str(refused.value)
    return refused.value


@ROLES
@pytest.mark.parametrize(
    "content", [b"hello\n" * 1000, b"\x00" * 5000, b"SQLite format 3\x00" + b"\xff" * 5000]
)
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(
    tmp_path: Path, file: Path, role: Role, content: bytes
) -> None:
    file.write_bytes(content)
    error = await refusal(tmp_path, role)
    assert not error.passing
    assert "is not a database" in str(error) or "is damaged" in str(error)
    assert file.read_bytes() == content


@ROLES
async def test_another_programs_database_is_refused_and_left_as_it_was(
    tmp_path: Path, file: Path, role: Role
) -> None:
    with connected(file) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    before = file.read_bytes()
    error = await refusal(tmp_path, role)
    assert "another program's database" in str(error)
    assert file.read_bytes() == before


@ROLES
async def test_a_database_of_a_newer_version_is_refused_by_name(
    tmp_path: Path, file: Path, role: Role
) -> None:
    await filled(tmp_path)
    with connected(file) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('watchkeeper', 'flying', '')"
        )
    error = await refusal(tmp_path, role)
    assert "written by a newer Watchkeeper (it has flying)" in str(error)


async def test_a_tool_of_another_version_leaves_the_file_of_a_running_collector_alone(
    tmp_path: Path, file: Path
) -> None:
    collector = await open_store(tmp_path, role="collector")
    with connected(file) as connection:  # as if it were an older one's
        connection.execute("DELETE FROM _sqlite_migrations")
    error = await refusal(tmp_path, "tool")
    assert "not of this version" in str(error)
    assert "is at work in" in str(error)
    await enrolled(collector)
    await collector.close()


async def test_a_file_cut_short_is_said_to_be_damaged(tmp_path: Path, file: Path) -> None:
    await filled(tmp_path)
    with file.open("rb+") as opened:
        opened.truncate(file.stat().st_size // 2)
    error = await refusal(tmp_path)
    assert "is damaged" in str(error)
    assert not error.passing


async def test_damage_to_what_a_start_needs_is_found_at_the_start(tmp_path: Path, file: Path) -> None:
    await filled(tmp_path)
    with connected(file) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'hosts'").fetchone()
    overwrite_page(file, page)
    assert "is damaged" in str(await refusal(tmp_path))


async def test_damage_to_samples_is_said_when_they_are_read_and_hinders_nothing_else(
    tmp_path: Path, file: Path
) -> None:
    await filled(tmp_path)
    with connected(file) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'batches'").fetchone()
    overwrite_page(file, page)
    store = await open_store(tmp_path, role="collector")
    with pytest.raises(StoreError, match="is damaged") as refused:
        await store.samples.rows(1, 0, 2**62, 10)
    assert not refused.value.passing
    assert len(await store.hosts.all()) == 1
    await store.close()


def overwrite_page(file: Path, page: int) -> None:
    with file.open("rb+") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xa5" * 4096)


async def test_a_start_that_was_cut_short_is_made_good_by_the_next(tmp_path: Path, file: Path) -> None:
    file.touch()  # killed after the file was made and before the tables were
    store = await open_store(tmp_path, role="collector")
    await enrolled(store)
    await store.close()


async def test_a_schema_that_could_not_be_made_whole_is_not_there_at_all(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "GROUND_FLOOR", (*schema.GROUND_FLOOR, "no such statement"))
        with pytest.raises(StoreError, match="fault in the program"):
            await open_store(tmp_path, role="collector")
    with connected(file) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    await (await open_store(tmp_path, role="collector")).close()


async def test_the_header_says_whose_file_it_is_and_that_it_gives_pages_back(
    tmp_path: Path, file: Path
) -> None:
    await filled(tmp_path)
    with connected(file) as connection:
        pragmas = ("application_id", "auto_vacuum", "journal_mode")
        found = [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
    assert found == [APPLICATION_ID, 2, "wal"]
    assert not file.with_name(file.name + "-wal").exists()  # a closed store is one file


async def test_the_file_shrinks_piece_by_piece_when_old_batches_are_dropped(
    tmp_path: Path, file: Path
) -> None:
    store = await open_store(tmp_path, role="collector")
    host = await enrolled(store)
    noise = np.random.default_rng(1)
    for number in range(20):
        samples = {f"series_{place}": value for place, value in enumerate(noise.random(2_000).tolist())}
        await store.commit(
            [batch(host.id, NOW + (number * 100 + tick) * TICK, samples) for tick in range(100)]
        )
    now = NOW + 2 * DAY
    await store.commit([batch(host.id, now)])
    await sealed(store, now)
    before = (await store.health()).size_bytes
    assert await forgotten(store, Keep(samples_ms=0), now) > 5
    assert (await store.health()).batches == 1
    await store.close()
    assert file.stat().st_size < before / 2


async def test_a_transition_cannot_be_altered_or_removed_even_by_hand(tmp_path: Path, file: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    await store.commit([Outcome(transitions=[transition(NOW)])])
    with connected(file) as connection:
        for statement in ("UPDATE transitions SET why = 'better'", "DELETE FROM transitions"):
            with pytest.raises(sqlite3.IntegrityError, match="a transition is never"):
                connection.execute(statement)
    await store.close()
