"""A spool that was copied with the disk of its machine goes by a new id; one that stayed keeps its own."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from agent.clock import Moment
from agent.spool import Limits, Spool
from agent.spool.machine import Machine, remember, this_machine
from agent.wire import Batch

NOW = Moment("b" * 36, 1_000_000, 1_800_000_000_000)
ID, OTHER_ID = "3d1219c7c4c5404aaa1f6d2a48adfda4", "9a8b7c6d5e4f40a1b2c3d4e5f6a7b8c9"
NIC, OTHER_NIC, THIRD_NIC = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
HERE = Machine(ID, (NIC, OTHER_NIC))


def opened(folder: Path, machine: Machine) -> Spool:
    return Spool(folder, Limits(), NOW, lambda: machine)


def id_on(folder: Path, machine: Machine) -> str:
    spool = opened(folder, machine)
    spool.close()
    return spool.id


@pytest.mark.parametrize(
    ("machine", "same"),
    [
        pytest.param(HERE, True, id="it was only started again"),
        pytest.param(Machine(OTHER_ID, HERE.nics), False, id="a container of another system"),
        pytest.param(Machine(ID, (THIRD_NIC,)), False, id="a copy that kept its id, on other cards"),
        pytest.param(Machine(OTHER_ID, (THIRD_NIC,)), False, id="a copy that got an id of its own"),
        pytest.param(Machine(ID, (OTHER_NIC, THIRD_NIC)), True, id="one card was replaced"),
        pytest.param(Machine(ID, (NIC,)), True, id="one card was taken out"),
        pytest.param(Machine(ID, ()), True, id="the cards cannot be seen"),
        pytest.param(Machine("", HERE.nics), True, id="the id cannot be read"),
        pytest.param(Machine("", ()), True, id="nothing can be told"),
    ],
)
def test_which_machine_is_another(tmp_path: Path, machine: Machine, same: bool) -> None:
    before = id_on(tmp_path, HERE)
    assert (id_on(tmp_path, machine) == before) is same


def test_two_copies_of_one_disk_never_give_a_number_under_the_same_id(tmp_path: Path) -> None:
    id_on(tmp_path / "template", HERE)
    shutil.copytree(tmp_path / "template", tmp_path / "copy")
    original = opened(tmp_path / "template", HERE)
    copy = opened(tmp_path / "copy", Machine(ID, (THIRD_NIC,)))
    assert original.id != copy.id


def test_a_copy_keeps_its_new_id(tmp_path: Path) -> None:
    id_on(tmp_path, HERE)
    moved = Machine(OTHER_ID, (THIRD_NIC,))
    assert id_on(tmp_path, moved) == id_on(tmp_path, moved)


def test_what_was_left_in_the_spool_is_sent_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A container that was made anew with its old folder is no copy, and there may be no hole in its charts."""
    spool = opened(tmp_path, HERE)
    spool.add(Batch(0, 0, 0, 1_000, {"x": 1.0}), NOW)
    spool.flush(NOW)
    spool.close()
    assert caplog.records == []
    moved = opened(tmp_path, Machine(OTHER_ID, ()))
    assert moved.batches == 1
    moved.add(Batch(0, 0, 0, 1_000, {"x": 2.0}), NOW)
    assert len({held.seq for held in moved.oldest(NOW, 10, 10_000)}) == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == [f"{tmp_path} was copied from another machine; this spool goes by a new id"]


@pytest.mark.parametrize("text", [b"", b"{", b'{"id":1}', b"\xff" * 10_000])
def test_a_damaged_note_of_the_machine_is_written_anew(tmp_path: Path, text: bytes) -> None:
    before = id_on(tmp_path, HERE)
    (tmp_path / "machine").write_bytes(text)
    assert id_on(tmp_path, HERE) == before
    assert id_on(tmp_path, Machine(OTHER_ID, ())) != before


def test_a_note_that_cannot_be_written_keeps_nobody_from_starting(tmp_path: Path) -> None:
    (tmp_path / "machine").mkdir()
    remember(tmp_path / "machine", HERE)
    assert id_on(tmp_path, HERE)


def test_cards_are_known_by_the_address_that_they_were_made_with(tmp_path: Path) -> None:
    for name, address, assigned, device in (
        ("eth0", NIC, "0", True),
        ("wlan0", "02:00:00:00:00:09", "3", True),
        ("eth1", "02:00:00:00:00:08", "1", True),
        ("docker0", "02:42:00:00:00:07", "0", False),
    ):
        card = tmp_path / "net" / name
        card.mkdir(parents=True)
        (card / "address").write_text(f"{address}\n")
        (card / "addr_assign_type").write_text(f"{assigned}\n")
        if device:
            (card / "device").mkdir()
    (tmp_path / "machine-id").write_text(f"{ID}\n")
    assert this_machine(tmp_path / "machine-id", tmp_path / "net") == Machine(ID, (NIC,))
    assert this_machine(tmp_path / "none", tmp_path / "none") == Machine("", ())


def test_this_machine_stays_the_same_between_two_looks() -> None:
    assert this_machine() == this_machine()
