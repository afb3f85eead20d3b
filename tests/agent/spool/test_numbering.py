"""No number of a batch is ever given twice."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spool.numbering import Numbering
from tests.agent.spool.life import no_file_may_grow_beyond


@given(uses=st.lists(st.integers(0, 40), max_size=12))
def test_numbers_rise_over_any_number_of_crashes(
    uses: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("numbers") / "numbers"
    given_out: list[int] = []
    spools = set()
    for count in uses:
        numbers = Numbering(path, step=10)
        spools.add(numbers.spool)
        given_out += [numbers.take() for _ in range(count)]
    assert given_out == sorted(set(given_out))
    assert len(spools) <= 1


def test_a_spool_id_is_32_hex_digits_and_its_own(tmp_path: Path) -> None:
    one, other = Numbering(tmp_path / "one").spool, Numbering(tmp_path / "other").spool
    assert re.fullmatch("[0-9a-f]{32}", one)
    assert one != other


def test_numbers_begin_above_what_is_known_to_be_used(tmp_path: Path) -> None:
    assert Numbering(tmp_path / "numbers", at_least=77).take() == 77


def test_a_torn_write_costs_the_newer_reservation_only(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    first = Numbering(path, step=10)
    used = [first.take() for _ in range(5)]
    Numbering(path, step=10)
    data = path.read_bytes()
    slot = len(data) // 2
    for torn in (data[: slot + 20], data[:slot] + b"\0" * slot, b"\xff" * slot + data[slot:]):
        path.write_bytes(torn)
        again = Numbering(path, step=10)
        assert again.spool == first.spool
        assert again.take() > used[-1]


@pytest.mark.parametrize("garbage", [b"", b"\0" * 200, b"hello\n", b"\xff\xfe" * 500])
def test_a_damaged_file_means_a_new_spool_id(
    garbage: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "numbers"
    before = Numbering(path).spool
    path.write_bytes(garbage)
    assert Numbering(path).spool != before
    assert ("damaged" in caplog.text) is bool(garbage)


def test_a_full_disk_does_not_stop_a_reservation_in_place(tmp_path: Path) -> None:
    numbers = Numbering(tmp_path / "numbers", step=10)
    for _ in range(20):
        numbers.take()
    with no_file_may_grow_beyond((tmp_path / "numbers").stat().st_size):
        taken = [numbers.take() for _ in range(100)]
    assert Numbering(tmp_path / "numbers", step=10).take() > taken[-1]


def test_without_any_disk_a_new_spool_id_is_taken_before_a_number_could_repeat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    numbers = Numbering(folder / "numbers", step=10)
    before = numbers.spool
    (folder / "numbers").rename(tmp_path / "numbers")
    folder.rmdir()
    seen = {(taken, numbers.spool) for taken in (numbers.take() for _ in range(50))}
    assert len(seen) == 50
    assert numbers.spool != before
    sentences = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(sentences) == 2, sentences  # said once that it cannot reserve, once that it is out
    folder.mkdir()
    (tmp_path / "numbers").rename(folder / "numbers")
    later = Numbering(folder / "numbers", step=10)
    assert later.spool == before
    assert (later.take(), later.spool) not in seen
