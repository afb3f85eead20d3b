"""A sheet as bytes, of which single series can be read alone.

The parts are: at, arrived_at − at, every_ms, then one for each series. How many batches there are, and which series, is
kept beside it. A series is its values, or, where a batch did not name it or had no answer, first how it stands in each
batch (a column with its length before it) and then the values that there are.
"""

from __future__ import annotations

import numpy as np

from collector.stores.sqlite.columns import Floats, Integers, Slices, pack
from collector.stores.sqlite.parts import SHORT, Parts, pack_parts
from collector.stores.sqlite.sheets import Sheet

BATCHES_MAX = 1_024
"""So a column is shorter than 64 KiB, and whatever is done with a whole block is done in milliseconds."""
TIMES = 3

VALUE, NO_ANSWER, NOT_NAMED = 0, 1, 2
WITH_HOLES = 0x10
"""Begins a column that tells first how the series stands in each batch."""


def pack_block(sheet: Sheet) -> bytes:
    """At most BATCHES_MAX batches, at least one."""
    columns = [pack(sheet.at), pack(sheet.arrived_at - sheet.at), pack(sheet.every_ms)]
    columns += [_pack_series(sheet, place) for place in range(len(sheet.names))]
    return pack_parts(columns, SHORT)


class Block:
    """What was packed, read column by column; of `data` only those parts are touched that are asked for.

    StoreError when it is damaged, so far as can be told from the parts that are read.
    """

    def __init__(self, data: Slices, count: int) -> None:
        self._parts = Parts(data, SHORT)
        self._codec, self._count = self._parts.codec, count

    def at(self) -> Integers:
        return self._codec.integers(self._parts.part(0), self._count)

    def every_ms(self) -> Integers:
        return self._codec.integers(self._parts.part(2), self._count)

    def series(self, place: int) -> tuple[Floats, Integers | None]:
        """The values of one series, and how it stands in each batch: None means that every batch has a value."""
        column = self._parts.part(TIMES + place)
        if column[:1] != bytes([WITH_HOLES]):
            return self._codec.floats(column, self._count), None
        begin = 3 + int.from_bytes(column[1:3], "little")
        stands = self._codec.integers(column[3:begin], self._count)
        answered = stands == VALUE
        values = np.full(self._count, np.nan)
        if answered.any():
            values[answered] = self._codec.floats(column[begin:], int(answered.sum()))
        return values, stands

    def sheet(self, names: tuple[str, ...]) -> Sheet:
        """All of it."""
        self._parts.check()
        at = self.at()
        arrived_at = self._codec.integers(self._parts.part(1), self._count) + at
        every_ms = self.every_ms()
        values = np.empty((len(names), self._count))
        there = None
        for place in range(len(names)):
            values[place], stands = self.series(place)
            if stands is not None and (stands == NOT_NAMED).any():
                there = np.ones(values.shape, dtype=np.bool_) if there is None else there
                there[place] = stands != NOT_NAMED
        return Sheet(at, arrived_at, every_ms, names, values, there)


def _pack_series(sheet: Sheet, place: int) -> bytes:
    values = sheet.values[place]
    stands = np.where(np.isnan(values), NO_ANSWER, VALUE)
    if sheet.there is not None:
        stands[~sheet.there[place]] = NOT_NAMED
    if not stands.any():
        return pack(np.ascontiguousarray(values))
    packed = pack(stands)
    answered = values[stands == VALUE]
    return b"".join(
        [
            bytes([WITH_HOLES]),
            len(packed).to_bytes(2, "little"),
            packed,
            pack(answered) if len(answered) else b"",
        ]
    )
