"""An hour of a host as bytes: all of it or single columns, each as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collector.store import StoreError
from collector.stores.sqlite.blocks import NO_ANSWER, NOT_NAMED, Block, pack_block
from collector.stores.sqlite.sheets import Sheet, joined, rows_of
from tests.collector.stores.builders import NOW, TICK


def sheet(names: tuple[str, ...] = ("a", "b"), start: int = NOW, count: int = 360) -> Sheet:
    at = start + np.arange(count) * TICK
    values = np.random.default_rng(len(names)).random((len(names), count)).round(2)
    return Sheet(at, at + 50, np.full(count, TICK), names, values)


class Watched:
    """Bytes that note which of them were looked at."""

    def __init__(self, data: bytes) -> None:
        self.data, self.seen = data, 0

    def __getitem__(self, part: slice) -> bytes:
        self.seen += len(self.data[part])
        return self.data[part]


def test_all_of_it_comes_back() -> None:
    given = sheet()
    back = Block(pack_block(given), 360).sheet(given.names)
    for column in ("at", "arrived_at", "every_ms", "values"):
        np.testing.assert_array_equal(getattr(back, column), getattr(given, column))
    assert back.there is None


def test_one_series_of_many_is_read_without_the_others() -> None:
    given = sheet(tuple(f"s{number:04}" for number in range(1_000)))
    data = Watched(pack_block(given))
    block = Block(data, 360)
    values, stands = block.series(777)
    np.testing.assert_array_equal(values, given.values[777])
    assert stands is None
    assert data.seen < len(data.data) / 50


def test_no_answer_and_not_named_are_told_apart() -> None:
    first, second = sheet(("a", "b"), count=4), sheet(("b", "c"), start=NOW + 4 * TICK, count=3)
    first.values[0, 1] = math.nan
    both = joined([first, second])
    back = Block(pack_block(both), 7)
    _, stands = back.series(0)
    assert stands is not None
    assert stands.tolist() == [0, NO_ANSWER, 0, 0, *[NOT_NAMED] * 3]
    rows = rows_of(back.sheet(both.names))
    assert [row.layout for row in rows] == [("a", "b")] * 4 + [("b", "c")] * 3
    np.testing.assert_array_equal(rows[1].values, first.values[:, 1])


def test_a_series_without_any_answer_takes_a_few_bytes() -> None:
    given = sheet(("a",))
    given.values[:] = math.nan
    data = pack_block(given)
    values, _ = Block(data, 360).series(0)
    assert np.isnan(values).all()
    assert len(data) < 120


@pytest.mark.parametrize("place", [4, 5, 20, 200, -1])
def test_one_wrong_byte_is_found_when_all_of_it_is_read(place: int) -> None:
    data = bytearray(pack_block(sheet()))
    data[place] ^= 1
    with pytest.raises(StoreError, match="damaged"):
        Block(bytes(data), 360).sheet(("a", "b"))


@pytest.mark.parametrize("length", [0, 3, 5, 9, 12, 60])
def test_a_block_cut_short_is_said_to_be_damaged(length: int) -> None:
    data = pack_block(sheet())[:length]
    with pytest.raises(StoreError, match="damaged"):
        Block(data, 360).series(1)


def test_sheets_are_joined_in_the_order_of_time_and_then_of_coming() -> None:
    early, late = sheet(("a",), count=3), sheet(("a",), start=NOW + TICK, count=2)
    whole = joined([early, late])
    assert whole.at.tolist() == [NOW, NOW + TICK, NOW + TICK, NOW + 2 * TICK, NOW + 2 * TICK]
    assert whole.values[0, [1, 2]].tolist() == [early.values[0, 1], late.values[0, 0]]
    assert whole.between(NOW + TICK, NOW + 2 * TICK).count == 2
