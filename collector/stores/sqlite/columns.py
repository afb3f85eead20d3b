"""One column of numbers as few bytes: the same number throughout costs next to nothing, most of the rest is pcodec's.

A column begins with a byte that says how the rest is to be read. What is written here is read for years: a kind, once
released, keeps its meaning.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig
from pcodec.wrapped import FileCompressor, FileDecompressor

from collector.store import StoreError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SAME, PACKED, PLAIN, REPEATING, DECIMAL = range(5)
LEVEL = 8
"""Of 0 to 12: a step more takes a third longer to write and spares two hundredths of a byte per sample."""
REPEATS_MIN = 0.5
"""From this share on of numbers like the one before, zlib is tried too: it sees repeats that pcodec does not."""
DIGITS_MAX = 3
"""Behind the point. What people and kernels measure has few, and as whole numbers it takes a fifth less."""
EXACT_MAX = 2.0**53

_CONFIG: Final = ChunkConfig(compression_level=LEVEL)
_COMPRESSOR: Final[Any] = FileCompressor()
CODEC_HEADER: Final[bytes] = _COMPRESSOR.write_header()
"""Says in which version of its format pcodec writes; whoever keeps columns keeps it with them."""


class Slices(Protocol):
    """Bytes, or something on the disk of which only the asked part is read."""

    def __getitem__(self, part: slice, /) -> bytes: ...


@contextmanager
def on_disk(connection: sqlite3.Connection, table: str, row: int) -> Iterator[Slices]:
    """What is packed in a row that an index has named; StoreError when there is no such row."""
    try:
        blob = connection.blobopen(table, "data", row, readonly=True)
    except sqlite3.OperationalError as error:
        if "no such rowid" not in str(error):
            raise
        raise damaged(error) from error
    with blob:
        yield cast(Slices, blob)  # a slice of it is bytes, whatever its type says


class Codec:
    """Reads the columns that were written under one header. StoreError when pcodec does not know that."""

    def __init__(self, header: bytes) -> None:
        try:
            self._decompressor, _ = FileDecompressor.new(header)
        except RuntimeError as error:
            raise damaged(error) from error

    def floats(self, column: bytes, count: int) -> Floats:
        return _unpack(self._decompressor, column, count, np.dtype(np.float64))

    def integers(self, column: bytes, count: int) -> Integers:
        return _unpack(self._decompressor, column, count, np.dtype(np.int64))


def pack(numbers: Floats | Integers) -> bytes:
    """At least one number, of either type; every bit of each comes back."""
    bits = numbers.view(np.int64)
    if (bits == bits[0]).all():
        # Most columns that never change are 0 or a small whole number: a double that ends in zero bytes.
        return bytes([SAME]) + struct.pack(">q", int(bits[0])).rstrip(b"\x00")
    if numbers.dtype == np.float64 and (decimal := _as_decimal(numbers.view(np.float64))) is not None:
        digits, whole = decimal
        return bytes([DECIMAL, digits]) + pack(whole)
    chunk = _COMPRESSOR.chunk_compressor(np.ascontiguousarray(numbers), _CONFIG)
    packed: bytes = bytes([PACKED]) + chunk.write_meta() + chunk.write_page(0)
    plain = numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()
    ways = [packed, bytes([PLAIN]) + plain]
    if np.count_nonzero(bits[1:] == bits[:-1]) >= REPEATS_MIN * len(bits):
        ways.append(bytes([REPEATING]) + zlib.compress(plain))
    return min(ways, key=len)


def _as_decimal(numbers: Floats) -> tuple[int, Integers] | None:
    """How many digits behind the point they have at most, and they as whole numbers; None when that is not all."""
    for digits in range(DIGITS_MAX + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = np.rint(numbers * 10.0**digits)
        if not (np.abs(shifted) < EXACT_MAX).all():
            return None
        whole = shifted.astype(np.int64)
        if ((whole / 10.0**digits).view(np.int64) == numbers.view(np.int64)).all():
            return digits, whole
    return None


def damaged(error: object) -> StoreError:
    return StoreError(
        f"samples in the store are damaged ({error}); put a good copy of it in its place", passing=False
    )


def _unpack(decompressor: Any, column: bytes, count: int, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    try:
        if column[0] == SAME:
            (bits,) = struct.unpack(">q", column[1:].ljust(8, b"\x00"))
            return np.full(count, bits, dtype=np.int64).view(kind)
        if column[0] == DECIMAL and kind.kind == "f":
            whole = _unpack(decompressor, column[2:], count, np.dtype(np.int64))
            return whole / 10.0 ** column[1]
        if column[0] in (PLAIN, REPEATING):
            plain = column[1:] if column[0] == PLAIN else zlib.decompress(column[1:])
            return np.frombuffer(plain, kind.newbyteorder("<"), count).astype(kind)
        chunk, meta = decompressor.chunk_decompressor(column[1:], "f64" if kind.kind == "f" else "i64")
        numbers = np.empty(count, dtype=kind)
        progress, _ = chunk.read_page_into(column[1 + meta :], count, numbers)
    except (RuntimeError, ValueError, IndexError, struct.error, zlib.error) as error:
        raise damaged(error) from error
    if not progress.finished:
        raise damaged("a column ends early")
    return numbers
