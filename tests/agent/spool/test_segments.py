"""Batches in files: what was written is there again, and damage costs no more than what it hit."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.clock import Moment
from agent.spool.segments import BadSegment, Segment
from tests.agent.spool.life import no_file_may_grow_beyond


def at(seq: int) -> Moment:
    return Moment("boot-1", seq * 10_000, 1_790_000_000_000 + seq * 10_000)


def tail(seq: int) -> bytes:
    return b',"every_ms":10000,"samples":{"load1":%d}}' % seq


def filled(path: Path, count: int = 10) -> Segment:
    segment = Segment.create(path, "boot-1")
    for seq in range(count):
        segment.append(seq, at(seq), tail(seq))
    return segment


def held(segment: Segment) -> dict[int, bytes]:
    entries = segment.entries()
    return {entry.seq: one for entry, one in zip(entries, segment.read(entries), strict=True)}


def test_what_was_written_is_read_again_in_order(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    again = Segment.open(tmp_path / "a")
    assert list(held(again).items()) == [(seq, tail(seq)) for seq in range(10)]
    assert (again.left, again.last_seq, again.first_left) == (10, 9, 0)
    assert (again.boot_id, again.newest, again.damaged_bytes) == ("boot-1", at(9), 0)


def test_what_is_done_stays_done(tmp_path: Path) -> None:
    segment = filled(tmp_path / "a")
    segment.done([0, 1, 5])
    Segment.open(tmp_path / "a").done([2])
    again = Segment.open(tmp_path / "a")
    assert sorted(held(again)) == [3, 4, 6, 7, 8, 9]
    assert (again.left, again.first_left, again.holds(5), again.holds(6)) == (6, 3, False, True)


def test_the_clock_can_be_noted_without_a_batch(tmp_path: Path) -> None:
    set_later = Moment("boot-1", 2_000_000, 1_800_000_000_000)
    filled(tmp_path / "a").note_clock(set_later)
    again = Segment.open(tmp_path / "a")
    assert again.clock == set_later
    assert again.newest == at(9)


def test_a_torn_tail_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "a"
    whole = filled(path).size_bytes
    before = filled(tmp_path / "b", 9).size_bytes
    data = path.read_bytes()
    for size in range(before, whole):
        path.write_bytes(data[:size])
        again = Segment.open(path)
        assert sorted(held(again)) == list(range(9))
        assert path.stat().st_size == again.size_bytes == before
        assert again.damaged_bytes == size - before


def test_zeros_where_the_power_failed_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a"
    size = filled(path).size_bytes
    path.write_bytes(path.read_bytes() + b"\0" * 4096)
    again = Segment.open(path)
    assert (again.size_bytes, again.damaged_bytes) == (size, 4096)
    again.done([0])
    assert sorted(held(Segment.open(path))) == list(range(1, 10))


def test_a_flipped_bit_costs_one_batch(tmp_path: Path) -> None:
    path = tmp_path / "a"
    start = len("watchkeeper spool 1 boot boot-1\n")
    data = filled(path).path.read_bytes()
    dice = random.Random(7)
    for _ in range(200):
        place = dice.randrange(start, len(data))
        broken = bytearray(data)
        broken[place] ^= 1 << dice.randrange(8)
        path.write_bytes(broken)
        again = Segment.open(path)
        assert len(held(again)) == 9
        assert all(one == tail(seq) for seq, one in held(again).items())
        assert again.damaged_bytes > 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\n",
        b"PNG\r\n\x1a\n" * 50,
        b"watchkeeper spool 2 boot x\n",
        b"watchkeeper spool 1 boot " + b"x" * 99,
    ],
)
def test_a_file_that_is_no_segment_is_refused(garbage: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(garbage)
    with pytest.raises(BadSegment, match="does not begin"):
        Segment.open(tmp_path / "a")


def test_a_folder_in_the_place_of_a_segment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSegment, match="not a plain file"):
        Segment.open(tmp_path)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1024**3)
    with pytest.raises(BadSegment, match="larger than"):
        Segment.open(tmp_path / "a")


def test_a_write_that_does_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    segment = filled(tmp_path / "a")
    size = segment.size_bytes
    with no_file_may_grow_beyond(size + 30), pytest.raises(OSError, match="space"):
        segment.append(10, at(10), tail(10))
    assert (segment.size_bytes, segment.path.stat().st_size, segment.left) == (size, size, 10)
    segment.append(10, at(10), tail(10))
    assert sorted(held(Segment.open(tmp_path / "a"))) == list(range(11))


def test_a_segment_that_cannot_be_begun_leaves_no_file(tmp_path: Path) -> None:
    with no_file_may_grow_beyond(5), pytest.raises(OSError, match="space"):
        Segment.create(tmp_path / "a", "boot-1")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    segment = filled(tmp_path / "a")
    segment.path.write_bytes(segment.path.read_bytes()[:-5])
    with pytest.raises(BadSegment, match="shorter"):
        held(segment)
    opened = Segment.open(tmp_path / "a")
    segment.path.write_bytes(b"")
    with pytest.raises(BadSegment, match="changed"):
        opened.entries()
