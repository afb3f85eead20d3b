"""A column of numbers as bytes: every bit comes back, what repeats is small, and damage is said."""

from __future__ import annotations

import contextlib
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store import StoreError
from collector.stores.sqlite.columns import CODEC_HEADER, DECIMAL, PACKED, PLAIN, REPEATING, SAME, Codec, pack

codec = Codec(CODEC_HEADER)
anything = st.floats(width=64, allow_nan=True)
numbers = st.one_of(
    st.lists(anything, min_size=1, max_size=50),
    st.lists(st.decimals(-(10**15), 10**15, places=3).map(float), min_size=1, max_size=50),
    st.lists(st.sampled_from([0.0, -0.0, 1.5, 1.6, 1.7, math.nan]), min_size=1, max_size=300),
    st.integers(1, 400).flatmap(lambda n: st.just([float(k % 7) / 10 for k in range(n)])),
)


@given(numbers)
def test_floats_come_back_to_the_last_bit(given_numbers: list[float]) -> None:
    column = np.array(given_numbers)
    back = codec.floats(pack(column), len(column))
    assert back.view(np.int64).tolist() == column.view(np.int64).tolist()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_whole_numbers_come_back(given_numbers: list[int]) -> None:
    column = np.array(given_numbers, dtype=np.int64)
    assert codec.integers(pack(column), len(column)).tolist() == given_numbers


@pytest.mark.parametrize(("number", "size"), [(0.0, 1), (1.0, 3), (100.0, 3), (0.1, 9), (-0.0, 2)])
def test_a_number_that_never_changes_takes_as_many_bytes_as_it_has_to(number: float, size: int) -> None:
    assert len(pack(np.full(360, number))) == size


def test_each_kind_of_column_is_written_as_it_is_smallest() -> None:
    chance = np.random.default_rng(1)
    noise = chance.integers(0, 2**64, 100, dtype=np.uint64).view(np.float64)
    steps = np.repeat(chance.random(6), 60)
    waves = 50 + 40 * np.sin(np.arange(360) / 20)
    columns = (np.zeros(9), waves, waves.round(2), noise, steps)
    assert [pack(column)[0] for column in columns] == [SAME, PACKED, DECIMAL, PLAIN, REPEATING]


def test_a_slice_of_a_table_is_packed_like_a_column_of_its_own() -> None:
    table = np.random.default_rng(2).random((100, 3)).round(2)
    assert pack(table[:, 1]) == pack(table[:, 1].copy())


def test_plain_numbers_are_little_endian() -> None:
    two = np.array(struct.unpack("<2d", bytes(range(1, 17))))
    assert pack(two)[1:] == bytes(range(1, 17))


@given(st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_a_damaged_column_is_said_to_be_or_read_but_never_breaks_anything(
    place: int, byte: int, cut: bool
) -> None:
    column = bytearray(pack(np.round(np.sin(np.arange(360)), 3)))
    place %= len(column)
    column[place] = byte
    with contextlib.suppress(StoreError):
        assert len(codec.floats(bytes(column[:place] if cut else column), 360)) == 360


def test_a_format_that_pcodec_does_not_know_is_said() -> None:
    with pytest.raises(StoreError, match="damaged"):
        Codec(b"\xff\xff")


def thirds(count: int) -> list[float]:
    return [math.floor(1e6 * (k * k % 37) / 37) / 1e5 / 3 for k in range(count)]


# What was written once is read for ever, by whatever version of ours and of pcodec.
GOLDEN = {
    "0000": [0.0] * 5,
    "00c008": [-3.0] * 5,
    "010270253b360271fb0b1000000000000000000034400000000000000000001000404024504632dba12961b50ca2c7719e382c55a868c7c"
    "690199410011010099491cc76684a582d83e8719c270e": thirds(60),
    "02a0a1a2a3a4a5a63fb0b1b2b3b4b5b63f": [0.044232506728181464, 0.08871011149557861],
    "03789c0b0d0581abf6a1839a7e3a68e9492a9e407468d0d200a4cbb7fd": [
        *[1 / 3] * 20,
        *[2 / 3] * 20,
        *[1 / 7] * 20,
    ],
    "0402019100000000000000001000c0711cc7711cc77130400000010000000000000000404024504632dba12961b50ca2c7719e382c55a86"
    "8c706": [round(number, 2) for number in thirds(30)],
}


@pytest.mark.parametrize("column", GOLDEN, ids=lambda column: column[:2])
def test_columns_that_were_written_once_are_read_for_ever(column: str) -> None:
    wanted = GOLDEN[column]
    assert Codec(bytes.fromhex("0401")).floats(bytes.fromhex(column), len(wanted)).tolist() == wanted
