"""A sheet as one string of bytes from which single columns can be read alone.

    check sum of all that follows (4 bytes), version (1), length of pcodec's header (1), that header,
    the length of each column (2 bytes each), the columns: at, arrived_at − at, every_ms, then one for each series.

How many batches there are and which series is kept beside it. A series' column is its values, or, where a batch did not
name it or had no answer, first how it stands in each batch (a column with its length before it) and then the values
that there are. Numbers are little endian.
"""

from __future__ import annotations

import zlib

import numpy as np

from collector.stores.sqlite.columns import (
    CODEC_HEADER,
    CODEC_HEADER_MAX,
    Codec,
    Floats,
    Integers,
    Slices,
    damaged,
    pack,
)
from collector.stores.sqlite.sheets import Sheet

VERSION = 1
BATCHES_MAX = 1_024
"""So a column is shorter than 64 KiB, and whatever is done with a whole block is done in milliseconds."""
TIMES = 3
HEAD = 6
LENGTH = np.dtype("<u2")

VALUE, NO_ANSWER, NOT_NAMED = 0, 1, 2
WITH_HOLES = 0x10
"""Begins a column that tells first how the series stands in each batch."""


def pack_block(sheet: Sheet) -> bytes:
    """At most BATCHES_MAX batches, at least one."""
    columns = [pack(sheet.at), pack(sheet.arrived_at - sheet.at), pack(sheet.every_ms)]
    columns += [_pack_series(sheet, place) for place in range(len(sheet.names))]
    lengths = np.array([len(column) for column in columns], dtype=LENGTH)
    assert len(CODEC_HEADER) <= CODEC_HEADER_MAX
    rest = b"".join(
        [bytes([VERSION, len(CODEC_HEADER)]), CODEC_HEADER, lengths.tobytes(), *columns],
    )
    return zlib.crc32(rest).to_bytes(4, "little") + rest


class Block:
    """What was packed, read column by column; of `data` only those parts are touched that are asked for.

    StoreError when it is damaged, so far as can be told from the parts that are read.
    """

    def __init__(self, data: Slices, series: int, count: int) -> None:
        self._data, self._series, self._count = data, series, count
        head = data[0 : HEAD + 2]
        if head[4:5] != bytes([VERSION]):
            raise damaged("a block of another kind")
        directory = HEAD + head[5]
        self._first = directory + LENGTH.itemsize * (TIMES + series)
        self._codec = Codec(head[HEAD:directory] if head[5] <= 2 else data[HEAD:directory])
        lengths = data[directory : self._first]
        if len(lengths) < self._first - directory:
            raise damaged("a block ends early")
        self._ends = np.cumsum(np.frombuffer(lengths, LENGTH), dtype=np.int64)

    def at(self) -> Integers:
        return self._codec.integers(self._column(0), self._count)

    def series(self, place: int) -> tuple[Floats, Integers | None]:
        """The values of one series, and how it stands in each batch: None means that every batch has a value."""
        column = self._column(TIMES + place)
        if column[:1] != bytes([WITH_HOLES]):
            return self._codec.floats(column, self._count), None
        (length,) = np.frombuffer(column, LENGTH, 1, offset=1)
        begin = 3 + int(length)
        stands = self._codec.integers(column[3:begin], self._count)
        answered = stands == VALUE
        values = np.full(self._count, np.nan)
        if answered.any():
            values[answered] = self._codec.floats(column[begin:], int(answered.sum()))
        return values, stands

    def sheet(self, names: tuple[str, ...]) -> Sheet:
        """All of it."""
        whole = self._data[0 : self._first + int(self._ends[-1])]
        if zlib.crc32(whole[4:]).to_bytes(4, "little") != whole[:4]:
            raise damaged("a block is not as it was written")
        self._data = whole
        at = self.at()
        arrived_at = self._codec.integers(self._column(1), self._count) + at
        every_ms = self._codec.integers(self._column(2), self._count)
        values = np.empty((len(names), self._count))
        there = None
        for place in range(len(names)):
            values[place], stands = self.series(place)
            if stands is not None and (stands == NOT_NAMED).any():
                there = np.ones(values.shape, dtype=np.bool_) if there is None else there
                there[place] = stands != NOT_NAMED
        return Sheet(at, arrived_at, every_ms, names, values, there)

    def _column(self, number: int) -> bytes:
        begin = int(self._ends[number - 1]) if number else 0
        return self._data[self._first + begin : self._first + int(self._ends[number])]


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
