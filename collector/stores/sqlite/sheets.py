"""Many batches of one host side by side: a row for each series, a column for each batch, in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from collector.store import Row
from collector.stores.sqlite.columns import Floats, Integers
from collector.stores.sqlite.commit import unpack_samples


class Sheet(Struct, frozen=True):
    """`names` are sorted. `there` is False where a batch did not name a series; None when every batch named all.

    `values` is NaN where there was no answer, and where the batch did not name the series.
    """

    at: Integers
    arrived_at: Integers
    every_ms: Integers
    names: tuple[str, ...]
    values: Floats
    there: npt.NDArray[np.bool_] | None = None

    @property
    def count(self) -> int:
        return len(self.at)

    def between(self, start: int, end: int) -> Sheet:
        """The batches sampled from `start` on and before `end`."""
        first, last = np.searchsorted(self.at, [start, end])
        if (first, last) == (0, self.count):
            return self
        part = slice(int(first), int(last))
        return Sheet(
            self.at[part],
            self.arrived_at[part],
            self.every_ms[part],
            self.names,
            self.values[:, part],
            None if self.there is None else self.there[:, part],
        )


def sheet_of(batches: Sequence[Sequence[Any]], names_of: Callable[[int], tuple[str, ...]]) -> Sheet:
    """From at least one row (at, arrived_at, every_ms, layout, samples), in the order of their times."""
    runs = [_run(list(run), names_of(layout)) for layout, run in groupby(batches, key=lambda batch: batch[3])]
    return joined(runs)


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """At least one, as one in the order of time; of batches of the same time the earlier sheet's come first."""
    if len(sheets) == 1:
        return sheets[0]
    names = sheets[0].names
    if any(sheet.names != names for sheet in sheets):
        names = tuple(sorted({name for sheet in sheets for name in sheet.names}))
        sheets = [_wider(sheet, names) for sheet in sheets]
    at = np.concatenate([sheet.at for sheet in sheets])
    there = None
    if any(sheet.there is not None for sheet in sheets):
        there = np.concatenate([_there(sheet) for sheet in sheets], axis=1)
    whole = Sheet(
        at,
        np.concatenate([sheet.arrived_at for sheet in sheets]),
        np.concatenate([sheet.every_ms for sheet in sheets]),
        names,
        np.concatenate([sheet.values for sheet in sheets], axis=1),
        there,
    )
    return whole if (at[1:] >= at[:-1]).all() else _in_order(whole)


def rows_of(sheet: Sheet) -> list[Row]:
    """The batches one by one; those that name the same series share one layout."""
    table = np.ascontiguousarray(sheet.values.T)
    times = zip(sheet.at.tolist(), sheet.arrived_at.tolist(), sheet.every_ms.tolist(), strict=True)
    if sheet.there is None:
        return [Row(*time, sheet.names, table[place]) for place, time in enumerate(times)]
    layouts: dict[bytes, tuple[tuple[str, ...], npt.NDArray[np.intp]]] = {}
    rows = []
    for place, time in enumerate(times):
        named = sheet.there[:, place]
        pattern = named.tobytes()
        if pattern not in layouts:
            chosen = np.flatnonzero(named)
            layouts[pattern] = tuple(sheet.names[which] for which in chosen), chosen
        layout, chosen = layouts[pattern]
        rows.append(Row(*time, layout, table[place][chosen]))
    return rows


def _run(batches: Sequence[Sequence[Any]], names: tuple[str, ...]) -> Sheet:
    """Of batches that share one layout."""
    at, arrived_at, every_ms, _, samples = zip(*batches, strict=True)
    values = np.ascontiguousarray(unpack_samples(b"".join(samples)).reshape(len(at), len(names)).T)
    if any(left > right for left, right in pairwise(names)):
        order = sorted(range(len(names)), key=names.__getitem__)
        names, values = tuple(names[place] for place in order), values[order]
    times, arrived, every = (np.array(column, dtype=np.int64) for column in (at, arrived_at, every_ms))
    return Sheet(times, arrived, every, names, values)


def _wider(sheet: Sheet, names: tuple[str, ...]) -> Sheet:
    """The same batches among more names."""
    if sheet.names == names:
        return sheet
    place = {name: number for number, name in enumerate(names)}
    rows = [place[name] for name in sheet.names]
    values = np.full((len(names), sheet.count), np.nan)
    there = np.zeros((len(names), sheet.count), dtype=np.bool_)
    values[rows], there[rows] = sheet.values, _there(sheet)
    return Sheet(sheet.at, sheet.arrived_at, sheet.every_ms, names, values, there)


def _there(sheet: Sheet) -> npt.NDArray[np.bool_]:
    return np.ones(sheet.values.shape, dtype=np.bool_) if sheet.there is None else sheet.there


def _in_order(sheet: Sheet) -> Sheet:
    order = np.argsort(sheet.at, kind="stable")
    return Sheet(
        sheet.at[order],
        sheet.arrived_at[order],
        sheet.every_ms[order],
        sheet.names,
        sheet.values[:, order],
        None if sheet.there is None else sheet.there[:, order],
    )
