"""A disk that is full, a folder that somebody empties, files that are garbage: what it costs, and what is said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agent.spool import Limits, Spool, SpoolError
from tests.agent.spool.life import Clock, again, everything, fill, loads, no_file_may_grow_beyond, segments


def test_on_a_full_disk_batches_stay_in_memory_within_its_limit(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(folder, Limits(memory_bytes_max=20_000), clock.now())
    with no_file_may_grow_beyond(300):
        fill(spool, clock, 100, filler="x" * 900)
        held = everything(spool, clock.now())
        assert loads(held) == list(range(100 - len(held), 100))
        assert spool.size_bytes <= 20_000
    assert spool.dropped == {"memory": 100 - len(held)}
    assert len([record for record in caplog.records if "kept in memory" in record.message]) == 1
    caplog.set_level("INFO")
    spool.keep(clock.now())
    assert "can be written again" in caplog.text
    assert loads(everything(again(spool, clock.now()), clock.now())) == loads(held)[:-2]


def test_an_acknowledgement_that_cannot_be_written_still_counts(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    with no_file_may_grow_beyond(10):
        spool.done([held.seq for held in everything(spool, clock.now())[:5]])
    assert loads(everything(spool, clock.now())) == [5, 6, 7, 8, 9]


def test_garbage_in_the_folder_is_left_alone_and_said_once(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(folder, Limits(), clock.now())
    fill(spool, clock, 5)
    spool.flush(clock.now())
    (folder / "notes.txt").write_text("mine")
    (folder / "0000000007.segment").write_bytes(b"\x89PNG" * 100)
    (folder / "0000000008.segment").mkdir()
    (folder / "lost+found").mkdir()
    caplog.clear()
    later = again(spool, clock.now())
    assert loads(everything(later, clock.now())) == [0, 1, 2, 3, 4]
    assert len(caplog.records) == 1
    assert "notes.txt" in caplog.text
    assert "0000000007.segment (does not begin as a segment does)" in caplog.text
    fill(later, clock, 5)
    later.flush(clock.now())
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "0000000009.segment").is_file()  # above every name that is taken


def test_a_folder_that_someone_empties_costs_what_was_in_it(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fill(spool, clock, 10)
    shutil.rmtree(spool.folder)
    fill(spool, clock, 10)
    assert loads(everything(spool, clock.now()))[-10:] == list(range(10))
    assert spool.dropped == {"lost": 8}
    assert "deleted" in caplog.text


def test_a_file_that_becomes_unreadable_costs_what_was_in_it(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    (path,) = segments(spool.folder)
    path.write_bytes(b"")
    assert everything(spool, clock.now()) == []
    assert (spool.dropped, spool.batches) == ({"unreadable": 10}, 0)
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("where", ["/dev/null/spool", "/proc/spool"])
def test_a_folder_that_cannot_be_made_is_a_clear_error(where: str, clock: Clock) -> None:
    with pytest.raises(SpoolError, match=rf"{where}.* cannot be written: "):
        Spool(Path(where), Limits(), clock.now())


def test_a_second_agent_on_the_same_folder_is_told_who_has_it(spool: Spool, clock: Clock) -> None:
    with pytest.raises(SpoolError, match=rf"in use by another agent \(process {os.getpid()}\)"):
        Spool(spool.folder, Limits(), clock.now())
    spool.close()
    Spool(spool.folder, Limits(), clock.now()).close()


def test_after_it_is_closed_nothing_is_written_any_more(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 5)
    spool.flush(clock.now())
    seqs = [held.seq for held in everything(spool, clock.now())]
    spool.close()
    successor = Spool(spool.folder, Limits(), clock.now())
    spool.done(seqs)
    spool.keep(clock.now())
    assert successor.batches == 5
    assert len(segments(spool.folder)) == 1
