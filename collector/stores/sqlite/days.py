"""A host's day in buckets: of each series the lowest, the highest, the mean and how many samples, so no spike is lost.

As bytes, single series can be read alone. The parts are: the names, how many batches each bucket has, then one for
each series: its counts, low and high as columns with their lengths before them, then the mean as a column of whole
numbers: how far it lies from low to high in 4,095 steps. A mean as it is would cost more than all the rest together,
for its last digits are noise. Of what counts (see `rules.histograms`) the sum must be right to the last one: there it
is the sum above low times the counts, written below zero to tell it from the other. Buckets without a batch are in no
column, those without an answer in `counts` only; and what follows from the rest is left out.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from collector.store import DAY_MS, Steps
from collector.stores.sqlite.columns import EXACT_MAX, Floats, Integers, Slices, damaged, pack
from collector.stores.sqlite.parts import LONG, SHORT, Parts, pack_parts
from collector.stores.sqlite.sheets import Sheet
from rules.histograms import ENDING

BUCKET_MS = 900_000
"""A quarter of an hour. Five minutes would take two and a half times the disk, which a year of them does not repay; an
hour would hide when within it something was."""
BUCKETS = DAY_MS // BUCKET_MS
NAMES_MAX = 10_000
"""A host whose series change all day long has no more of them in one day; the rest is in the samples only."""

STEPS = 4_095
LENGTHS = 3 * SHORT.itemsize
"""What stands before a series' columns."""
NOT_NAMED = -1


class Day(Struct):
    """`at` is the beginning of each bucket that has a batch, `batches` how many. The others have a row for each series:
    `counts` is how many answers there were, NOT_NAMED where no batch named the series; without answers the rest is NaN.
    """

    names: tuple[str, ...]
    at: Integers
    batches: Integers
    counts: Integers
    low: Floats
    high: Floats
    mean: Floats


def summed_up(sheet: Sheet, bucket_ms: int) -> Day:
    """The buckets of a sheet of at least one batch, whatever its span."""
    number = sheet.at // bucket_ms
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    batches = np.diff(first, append=sheet.count)
    answers = ~np.isnan(sheet.values)
    counts = np.add.reduceat(answers, first, axis=1, dtype=np.int64)
    low = np.fmin.reduceat(sheet.values, first, axis=1)
    high = np.fmax.reduceat(sheet.values, first, axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.add.reduceat(np.where(answers, sheet.values, 0.0), first, axis=1)
        mean = np.clip(total / np.where(counts, counts, 1), low, high)  # it may come out a hair beside them
    if sheet.there is not None:
        counts[~np.logical_or.reduceat(sheet.there, first, axis=1)] = NOT_NAMED
    return Day(sheet.names, number[first] * bucket_ms, batches, counts, low, high, mean)


def together(days: Sequence[Day]) -> Day:
    """At least one, as one; what is said twice of a bucket is added up."""
    if len(days) == 1:
        return days[0]
    names = _names(days)
    place = {name: number for number, name in enumerate(names)}
    at = np.unique(np.concatenate([day.at for day in days]))
    shape = len(names), len(at)
    whole = Day(
        names,
        at,
        np.zeros(len(at), dtype=np.int64),
        np.full(shape, NOT_NAMED, dtype=np.int64),
        *(np.full(shape, np.nan) for _ in range(3)),
    )
    for day in days:
        chosen = [number for number, name in enumerate(day.names) if name in place]
        rows = np.array([place[day.names[number]] for number in chosen], dtype=np.int64)
        columns = np.searchsorted(at, day.at)
        _add(whole, (rows[:, np.newaxis], columns), day, chosen)
        whole.batches[columns] += day.batches
    return whole


def series_of(day: Day, row: int, bucket_ms: int) -> Steps:
    """One series, in the buckets in which it was named."""
    return _steps(bucket_ms, day.at, day.low[row], day.high[row], day.mean[row], day.counts[row])


def _steps(step_ms: int, at: Integers, low: Floats, high: Floats, mean: Floats, counts: Integers) -> Steps:
    named = counts != NOT_NAMED
    return Steps(step_ms, at[named], low[named], high[named], mean[named], counts[named])


def _names(days: Sequence[Day]) -> tuple[str, ...]:
    """Sorted; of too many those that were named in the most buckets."""
    if all(day.names == days[0].names for day in days):
        return days[0].names
    named: dict[str, int] = {}
    for day in days:
        for name, buckets in zip(day.names, (day.counts != NOT_NAMED).sum(axis=1).tolist(), strict=True):
            named[name] = named.get(name, 0) + buckets
    return tuple(sorted(sorted(named, key=lambda name: (-named[name], name))[:NAMES_MAX]))


def _add(
    whole: Day, cells: tuple[npt.NDArray[Any], npt.NDArray[Any]], day: Day, chosen: Sequence[int]
) -> None:
    counts, theirs = whole.counts[cells], day.counts[chosen]
    before, more = np.maximum(counts, 0), np.maximum(theirs, 0)
    whole.counts[cells] = np.where((counts >= 0) | (theirs >= 0), before + more, NOT_NAMED)
    ours = np.where(before > 0, whole.mean[cells], 0.0), np.where(more > 0, day.mean[chosen], 0.0)
    low = np.fmin(whole.low[cells], day.low[chosen])
    high = np.fmax(whole.high[cells], day.high[chosen])
    with np.errstate(invalid="ignore"):
        share = more / np.where(before + more, before + more, 1)
        mean = np.where(before + more > 0, ours[0] * (1 - share) + ours[1] * share, np.nan)
        whole.mean[cells] = np.clip(mean, low, high)
    whole.low[cells], whole.high[cells] = low, high


# --- as bytes ---------------------------------------------------------------------------------------------------------


def pack_day(day: Day, begin: int) -> bytes:
    """A day that begins at `begin`, in buckets of BUCKET_MS."""
    batches = np.zeros(BUCKETS, dtype=np.int64)
    batches[(day.at - begin) // BUCKET_MS] = day.batches
    parts = [zlib.compress(msgspec.json.encode(day.names)), pack(batches)]
    parts += [_pack_series(day, row) for row in range(len(day.names))]
    return pack_parts(parts, LONG)


class PackedDay:
    """What was packed, read series by series; of `data` only those parts are touched that are asked for.

    StoreError when it is damaged, so far as can be told from the parts that are read.
    """

    def __init__(self, data: Slices, begin: int) -> None:
        self._parts = Parts(data, LONG)
        self._codec = self._parts.codec
        self.names = _read_names(self._parts.part(0))
        batches = self._codec.integers(self._parts.part(1), BUCKETS)
        full = np.flatnonzero(batches)
        self._at, self._batches = begin + full * BUCKET_MS, batches[full]

    def series(self, name: str) -> Steps | None:
        """None when no batch of the day named it."""
        row = bisect_left(self.names, name)
        if self.names[row : row + 1] != (name,):
            return None
        counts, low, high, mean = self._series(row)
        return _steps(BUCKET_MS, self._at, low, high, mean, counts)

    def day(self) -> Day:
        """All of it."""
        self._parts.check()
        shape = len(self.names), len(self._at)
        day = Day(
            self.names,
            self._at,
            self._batches,
            np.empty(shape, dtype=np.int64),
            *(np.empty(shape) for _ in "lhm"),
        )
        for row in range(len(self.names)):
            day.counts[row], day.low[row], day.high[row], day.mean[row] = self._series(row)
        return day

    def _series(self, row: int) -> tuple[Integers, Floats, Floats, Floats]:
        part = self._parts.part(2 + row)
        if len(part) < LENGTHS:
            raise damaged("a series of a day ends early")
        counts_end, low_end, high_end = np.cumsum(np.frombuffer(part, SHORT, 3), dtype=np.int64) + LENGTHS
        counts = self._batches
        if counts_end > LENGTHS:
            counts = self._codec.integers(part[LENGTHS:counts_end], len(self._at))
        answered = counts > 0
        low, high, mean = (np.full(len(self._at), np.nan) for _ in range(3))
        if answered.any():
            some = int(answered.sum())
            low[answered] = self._codec.floats(part[counts_end:low_end], some)
            high[answered] = low[answered]
            if high_end > low_end:
                high[answered] = self._codec.floats(part[low_end:high_end], some)
            if len(part) > high_end:
                mean[answered] = _mean(
                    low[answered],
                    high[answered],
                    counts[answered],
                    self._codec.integers(part[high_end:], some),
                )
            else:
                mean[answered] = low[answered]
        return counts, low, high, np.clip(mean, low, high)


def _pack_series(day: Day, row: int) -> bytes:
    counts, answered = day.counts[row], day.counts[row] > 0
    low, high, mean = (column[row][answered] for column in (day.low, day.high, day.mean))
    columns = [b"" if (counts == day.batches).all() else pack(np.ascontiguousarray(counts)), b"", b"", b""]
    if len(low):
        columns[1] = pack(low)
        if (low != high).any():
            above = _counted(low, mean, counts[answered]) if is_counts(day.names[row]) else None
            columns[2], columns[3] = pack(high), pack(_share(low, high, mean) if above is None else above)
    lengths = np.array([len(column) for column in columns[:3]], dtype=SHORT)
    return b"".join([lengths.tobytes(), *columns])


def _share(low: Floats, high: Floats, mean: Floats) -> Integers:
    """How far the mean lies from low to high, halved first so that no difference is too large for a float."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (mean / 2 - low / 2) / (high / 2 - low / 2)
    return np.rint(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0) * STEPS).astype(np.int64)


def is_counts(name: str) -> bool:
    """Whether a series counts for a histogram."""
    return name.partition("{")[0].endswith(ENDING)


def _counted(low: Floats, mean: Floats, counts: Integers) -> Integers | None:
    """How far each sum lies above low times the counts, as -1 for nothing and downwards; None unless all is whole."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.rint(mean * counts)
        above = total - low * counts
    if not ((np.abs(total) < EXACT_MAX / 2).all() and (np.rint(low) == low).all()):
        return None
    return -1 - above.astype(np.int64)


def _mean(low: Floats, high: Floats, counts: Integers, said: Integers) -> Floats:
    """From what `_share` or `_counted` made."""
    if (said < 0).any():
        return low + (-1 - said) / counts
    share = said / STEPS
    with np.errstate(invalid="ignore", over="ignore"):
        return low * (1 - share) + high * share


def _read_names(packed: bytes) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(zlib.decompress(packed), type=list[str]))
    except (zlib.error, msgspec.DecodeError) as error:
        raise damaged(error) from error
