"""Several columns as one string of bytes, each of which can be read without the others.

    check sum of all that follows (4 bytes), version (1), length of pcodec's header (1), that header,
    how many parts (2), the length of each part, the parts

Numbers are little endian.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from collector.stores.sqlite.columns import CODEC_HEADER, Codec, Slices, damaged

VERSION = 1
SHORT: Final[np.dtype[Any]] = np.dtype("<u2")
LONG: Final[np.dtype[Any]] = np.dtype("<u4")
CHECKED, HEAD, COUNT = 4, 6, 2
USUAL_HEAD = HEAD + len(CODEC_HEADER) + COUNT


def pack_parts(parts: Sequence[bytes], length: np.dtype[Any]) -> bytes:
    """`length` is the type of a part's length: SHORT or LONG, the same that Parts is told."""
    head = bytes([VERSION, len(CODEC_HEADER)]) + CODEC_HEADER + len(parts).to_bytes(COUNT, "little")
    rest = b"".join([head, np.array([len(part) for part in parts], dtype=length).tobytes(), *parts])
    return zlib.crc32(rest).to_bytes(CHECKED, "little") + rest


class Parts:
    """Of `data` only what is asked for is touched. StoreError when it is damaged, so far as those parts can tell."""

    def __init__(self, data: Slices, length: np.dtype[Any]) -> None:
        self._data = data
        head = data[0:USUAL_HEAD]
        if len(head) < USUAL_HEAD or head[4] != VERSION:
            raise damaged("what is packed is of an unknown kind")
        counted = HEAD + head[5]
        if counted + COUNT > USUAL_HEAD:
            head = data[0 : counted + COUNT]
        self.codec = Codec(head[HEAD:counted])
        self.count = int.from_bytes(head[counted : counted + COUNT], "little")
        first = counted + COUNT
        self._first = first + self.count * length.itemsize
        lengths = data[first : self._first]
        if not self.count or len(lengths) < self._first - first:
            raise damaged("what is packed ends early")
        self._ends = np.cumsum(np.frombuffer(lengths, length), dtype=np.int64)

    def part(self, number: int) -> bytes:
        if number >= self.count:
            raise damaged(f"there are {self.count} parts where there should be more")
        begin = int(self._ends[number - 1]) if number else 0
        return self._data[self._first + begin : self._first + int(self._ends[number])]

    def check(self) -> None:
        """See that all of it is as it was written; what is read after that is read from memory."""
        whole = self._data[0 : self._first + int(self._ends[-1])]
        if zlib.crc32(whole[CHECKED:]).to_bytes(CHECKED, "little") != whole[:CHECKED]:
            raise damaged("what is packed is not as it was written")
        self._data = whole
