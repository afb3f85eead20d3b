"""Series over a range in steps: from the days that are summed up where they serve, from samples where they do not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from collector.store import DAY_MS, POINTS_MAX, Points, Steps, StoreError
from collector.stores.sqlite import fresh
from collector.stores.sqlite.columns import on_disk
from collector.stores.sqlite.days import BUCKET_MS, PackedDay, series_of, summed_up
from collector.stores.sqlite.layouts import ReadLayouts
from collector.stores.sqlite.ranges import HOUR_MS, series
from collector.stores.sqlite.sheets import Sheet

DAYS = "SELECT id, start FROM days WHERE host = ? AND start > ? AND start < ? ORDER BY start"
# Days of which there are samples that the day's sum does not hold, or that it holds already though they may yet change.
NOT_AS_SUMMED_UP = f"""
    {fresh.spans("?2", "?3")}
    SELECT start / {DAY_MS} FROM blocks
    WHERE host = ?1 AND start > ?2 - {HOUR_MS} AND start < ?3 AND NOT summed_up
    UNION SELECT at / {DAY_MS} {fresh.of_a_host("?1")} WHERE at >= ?2 AND at < ?3
"""
SAMPLES_FROM = "SELECT value FROM meta WHERE key = 'samples_from'"

SUMMED_AT_ONCE = 20


class Span(Struct, frozen=True):
    """A part of a range, and the row of the day that serves for it; None when samples do."""

    start: int
    end: int
    day: int | None = None
    begin: int = 0


def in_steps(
    connection: sqlite3.Connection,
    layouts: ReadLayouts,
    host: int,
    names: Sequence[str],
    start: int,
    end: int,
    step_ms: int,
) -> dict[str, Steps]:
    """See Samples.series_step."""
    (samples_from,) = connection.execute(SAMPLES_FROM).fetchone()
    if start < samples_from:
        step_ms = -(-step_ms // BUCKET_MS) * BUCKET_MS
    start, end = start // step_ms * step_ms, -(-end // step_ms) * step_ms
    pieces: dict[str, list[Steps]] = {name: [] for name in names}
    samples = 0
    for span in spans(connection, host, start, end, step_ms, samples_from):
        if span.day is None:
            points = series(connection, layouts, host, names, span.start, span.end)
            samples += sum(len(found.at) for found in points.values())
            if samples > POINTS_MAX:
                raise StoreError(
                    f"that is more than {POINTS_MAX} samples to look at; ask for less or longer steps",
                    passing=False,
                )
            for name, found in points.items():
                pieces[name] += _of_points(found, step_ms)
        else:
            with on_disk(connection, "days", span.day) as data:
                day = PackedDay(data, span.begin)
                for name in names:
                    pieces[name] += _within(day.series(name), span)
    return {name: together(found, step_ms) for name, found in pieces.items()}


def sums(
    connection: sqlite3.Connection,
    layouts: ReadLayouts,
    host: int,
    names: Sequence[str],
    start: int,
    end: int,
) -> dict[str, float]:
    """All answers of each series over a range, added up: by samples at its ends, by whole quarters of an hour between.
    Where only rollups are left, the quarters that it begins and ends in count whole."""
    first, last = -(-start // BUCKET_MS) * BUCKET_MS, end // BUCKET_MS * BUCKET_MS
    if first <= last:
        parts = [(start, first, 1), (first, last, BUCKET_MS), (last, end, 1)]
    else:
        parts = [(start, end, 1)]
    found = dict.fromkeys(names, 0.0)
    for begin, until, step_ms in parts:
        for at in range(0, len(names) if begin < until else 0, SUMMED_AT_ONCE):
            some = names[at : at + SUMMED_AT_ONCE]
            for name, steps in in_steps(connection, layouts, host, some, begin, until, step_ms).items():
                answered = steps.count > 0
                found[name] += float((steps.mean[answered] * steps.count[answered]).sum())
    return found


def spans(
    connection: sqlite3.Connection, host: int, start: int, end: int, step_ms: int, samples_from: int
) -> Iterator[Span]:
    """A range in parts without a hole. A day serves where its samples are gone, and where it fits and is complete."""
    stale = {day * DAY_MS for (day,) in connection.execute(NOT_AS_SUMMED_UP, [host, start, end])}
    fits = step_ms % BUCKET_MS == 0
    reached = start
    for number, begin in connection.execute(DAYS, [host, start - DAY_MS, end]):
        last = begin + DAY_MS if fits and begin not in stale else min(begin + DAY_MS, samples_from)
        first, last = max(begin, reached), min(last, end)
        if first < last:
            if reached < first:
                yield Span(reached, first)
            yield Span(first, last, number, begin)
            reached = last
    if reached < end:
        yield Span(reached, end)


def names_of_days(
    connection: sqlite3.Connection, host: int, start: int, end: int, names_max: int
) -> set[str]:
    """The series of days that are summed up, of those of late first, until there are so many."""
    found: set[str] = set()
    for number, begin in connection.execute(f"{DAYS} DESC", [host, start - DAY_MS, end]):
        if len(found) >= names_max:
            break
        with on_disk(connection, "days", number) as data:
            found.update(PackedDay(data, begin).names)
    return found


def together(pieces: Sequence[Steps], step_ms: int) -> Steps:
    """As many shorter steps as there are, in whatever order, as steps of `step_ms`."""
    if not pieces:
        nothing = np.empty(0, dtype=np.int64)
        return Steps(step_ms, nothing, np.empty(0), np.empty(0), np.empty(0), nothing)
    at, low, high, mean, count = (
        np.concatenate([getattr(piece, field) for piece in pieces])
        for field in ("at", "low", "high", "mean", "count")
    )
    order = np.argsort(at, kind="stable")
    number = at[order] // step_ms
    first = np.flatnonzero(np.diff(number, prepend=number[:1] - 1))
    low, high = np.fmin.reduceat(low[order], first), np.fmax.reduceat(high[order], first)
    counts = np.add.reduceat(count[order], first)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.add.reduceat(np.where(count > 0, mean * count, 0.0)[order], first)
        # A mean of equal numbers may come out a hair beside them.
        mean = np.clip(total / np.where(counts, counts, 1), low, high)
    return Steps(step_ms, number[first] * step_ms, low, high, mean, counts)


def _of_points(points: Points, step_ms: int) -> Iterable[Steps]:
    if not len(points.at):
        return ()
    sheet = Sheet(points.at, points.at, points.at, ("",), points.values[np.newaxis])
    return (series_of(summed_up(sheet, step_ms), 0, step_ms),)


def _within(steps: Steps | None, span: Span) -> Iterable[Steps]:
    if steps is None:
        return ()
    first, last = np.searchsorted(steps.at, [span.start, span.end])
    part = slice(int(first), int(last))
    found = Steps(
        steps.step_ms, steps.at[part], steps.low[part], steps.high[part], steps.mean[part], steps.count[part]
    )
    return (found,) if len(found.at) else ()
