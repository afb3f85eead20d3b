"""`watchkeeper backup` and `watchkeeper restore`, as a person gives them."""

from __future__ import annotations

from pathlib import Path

from collector.stores.sqlite import open_store
from tests.collector.cli.conftest import Command, Enrolled
from tests.collector.stores.builders import NOW, batch


def test_a_backup_says_what_it_holds_and_a_restore_what_it_did(
    tmp_path: Path, state: Path, watchkeeper: Command, enrolled: Enrolled
) -> None:
    assert watchkeeper("host", "add", "db-1").code == 0
    backup = tmp_path / "backup.db"
    said = watchkeeper("backup", backup)
    assert said.code == 0
    assert said.out.startswith(f"{backup} holds 1 hosts and 0 batches, none of them heard yet, in 0.")
    assert said.out.endswith("It was checked and is sound.\n")
    assert said.err == "", "nobody sits before what is no terminal"

    assert watchkeeper("host", "add", "db-2").code == 0
    said = watchkeeper("restore", backup)
    assert said.code == 0
    first, second, last = said.out.splitlines()
    assert first.startswith(f"{state}/watchkeeper.db holds 1 hosts")
    assert f"is kept as {state}/watchkeeper.db.before-restore" in second
    assert last == "Start the collector now."
    assert list(enrolled()) == ["db-1"]


async def test_the_time_of_the_newest_batch_tells_how_much_is_missing(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    store = await open_store(state, role="collector")
    host = await store.hosts.enrol("db-1", {}, "t" * 12, b"s" * 32, NOW)
    await store.commit([batch(host.id, NOW)])
    await store.close()
    backup = tmp_path / "backup.db"
    assert "the newest of 2027-01-15 08:00:00 UTC" in watchkeeper("backup", backup).out
    assert (
        "What agents delivered after 2027-01-15 08:00:00 UTC is not in it"
        in watchkeeper("restore", backup).out
    )


def test_a_mistake_is_told_in_one_line_and_changes_nothing(tmp_path: Path, watchkeeper: Command) -> None:
    said = watchkeeper("backup", tmp_path / "backup.db")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("watchkeeper: there is no store in ")
    watchkeeper("host", "add", "db-1")
    (tmp_path / "backup.db").write_text("dear")
    said = watchkeeper("backup", tmp_path / "backup.db")
    assert said.code == 2
    assert "--force" in said.err
    said = watchkeeper("restore", tmp_path / "backup.db")
    assert said.code == 2
    assert "is damaged, or no database" in said.err
    assert watchkeeper("backup", tmp_path / "backup.db", "--force").code == 0


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, watchkeeper: Command) -> None:
    watchkeeper("host", "add", "db-1")
    said = watchkeeper("backup", tmp_path / "none" / "backup.db")
    assert said.code == 2
    assert said.err.strip() == f"watchkeeper: there is no folder {tmp_path}/none for a copy"
