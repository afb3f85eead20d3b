"""What held when: exact spans of time, each of one class and with its cause, and the reckoning with them.

A course covers its range without a hole and in one way only: neighbours differ. So two courses of the same are equal,
however they were put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from rules.sla.model import CLASSES, EXCLUDED, Interval, Tally

NOTHING = -1
"""Where one course says nothing, so that another that lies under it is seen."""
FAR = 2**62

Times = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]


class Course(Struct, frozen=True, eq=False):
    """From `at[i]` until `at[i + 1]`, the last until `end`, it is of class `codes[i]` because of `causes[why[i]]`.

    `mended` says of each span whether late batches changed it.
    """

    end: int
    at: Times
    codes: Codes
    why: npt.NDArray[np.int32]
    causes: tuple[str, ...]
    mended: npt.NDArray[np.bool_]

    @property
    def start(self) -> int:
        return int(self.at[0])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Course) and intervals_of(self) == intervals_of(other)

    def cut(self, start: int, end: int) -> Course:
        """What lies from `start` until before `end`, which must be in its range."""
        first = int(np.searchsorted(self.at, start, side="right")) - 1
        last = int(np.searchsorted(self.at, end))
        at = self.at[first:last].copy()
        at[0] = start
        part = slice(first, last)
        return Course(end, at, self.codes[part], self.why[part], self.causes, self.mended[part])

    def on(self, knots: Times) -> tuple[Codes, npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Its codes, causes and marks at these times, which must be in its range."""
        place = np.searchsorted(self.at, knots, side="right") - 1
        return self.codes[place], self.why[place], self.mended[place]


def course(
    end: int,
    at: Times,
    codes: Codes,
    why: npt.NDArray[np.int32],
    causes: Sequence[str],
    mended: npt.NDArray[np.bool_] | None = None,
) -> Course:
    """The one way of writing it down: equal neighbours are one span, and a cause stands once."""
    numbers: dict[str, int] = {}
    renumbered = np.array([numbers.setdefault(text, len(numbers)) for text in causes], dtype=np.int32)
    why = renumbered[why]
    marks = np.zeros(len(at), dtype=np.bool_) if mended is None else mended
    new = np.ones(len(at), dtype=np.bool_)
    new[1:] = (codes[1:] != codes[:-1]) | (why[1:] != why[:-1]) | (marks[1:] != marks[:-1])
    return Course(end, at[new], codes[new], why[new], tuple(numbers), marks[new])


def steady(start: int, end: int, code: int, cause: str = "") -> Course:
    """The same throughout."""
    return Course(
        end,
        np.array([start], dtype=np.int64),
        np.array([code], dtype=np.int8),
        np.zeros(1, dtype=np.int32),
        (cause,),
        np.zeros(1, dtype=np.bool_),
    )


def held(at: Times, codes: Codes, hold_ms: Times, start: int, end: int, causes: Mapping[int, str]) -> Course:
    """What samples say: each holds until the next, for `hold_ms` at most, and then nothing is said.

    Times ascend; of several at the same time the last counts. `causes` are by class.
    """
    if not len(at):
        return steady(start, end, NOTHING)
    last = np.append(at[1:] != at[:-1], True)
    at, codes, hold_ms = at[last], codes[last], hold_ms[last]
    after = np.append(at[1:], FAR)
    until = np.minimum(at + hold_ms, after)
    ends = until < after
    knots = np.concatenate([[min(start, int(at[0])) - 1], at, until[ends]])
    said = np.concatenate([[NOTHING], codes, np.full(int(ends.sum()), NOTHING)]).astype(np.int8)
    order = np.argsort(knots, kind="stable")
    knots, said = knots[order], said[order]
    words = [causes.get(code, "") for code in range(NOTHING, int(said.max()) + 1)]
    whole = course(max(end, int(knots[-1]) + 1), knots, said, (said + 1).astype(np.int32), words)
    return whole.cut(start, end)


def spanning(spans: Iterable[tuple[int, int]], start: int, end: int, code: int, cause: str) -> Course:
    """`code` within each of the spans, which may overlap, and nothing beside them."""
    edges: list[tuple[int, int]] = []
    for begin, until in spans:
        first, last = max(begin, start), min(until, end)
        if first < last:
            edges += [(first, 1), (last, -1)]
    if not edges:
        return steady(start, end, NOTHING)
    times, steps = np.array(sorted(edges), dtype=np.int64).T
    knots, first_of = np.unique(times, return_index=True)
    depth = np.cumsum(np.add.reduceat(steps, first_of))
    knots, depth = np.concatenate([[start], knots]), np.concatenate([[0], depth])
    inside = depth > 0
    codes = np.where(inside, code, NOTHING).astype(np.int8)
    keep = np.append(knots[1:] != knots[:-1], True) & (knots < end)
    return course(end, knots[keep], codes[keep], inside[keep].astype(np.int32), ("", cause))


def laid_over(under: Course, *tops: Course) -> Course:
    """All of the same range: where one says nothing, the one beneath it is seen."""
    knots = np.unique(np.concatenate([under.at, *(top.at for top in tops)]))
    codes, why, mended = under.on(knots)
    causes = under.causes
    for top in tops:
        said, because, marks = top.on(knots)
        seen = said != NOTHING
        why = np.where(seen, because + len(causes), why).astype(np.int32)
        causes += top.causes
        codes, mended = np.where(seen, said, codes).astype(np.int8), np.where(seen, marks, mended)
    return course(under.end, knots, codes, why, causes, mended)


def one_after_another(courses: Sequence[Course]) -> Course:
    """At least one, each beginning where the one before it ends."""
    causes: tuple[str, ...] = ()
    whys = []
    for one in courses:
        whys.append(one.why + len(causes))
        causes += one.causes
    at, codes, mended = (
        np.concatenate([getattr(one, field) for one in courses]) for field in ("at", "codes", "mended")
    )
    return course(courses[-1].end, at, codes, np.concatenate(whys).astype(np.int32), causes, mended)


def mended(stored: Course, fresh: Course) -> Course:
    """What is to stand in the place of `stored`, now that all of its range was looked at again.

    What was excluded stays excluded. Where the rest is another than it was, or was so before, it is marked.
    """
    knots = np.unique(np.concatenate([stored.at, fresh.at]))
    was, was_why, marks = stored.on(knots)
    now, now_why, _ = fresh.on(knots)
    excluded = np.isin(was, EXCLUDED)
    texts = stored.causes + fresh.causes
    same_text = (
        np.array(stored.causes, dtype=object)[was_why] == np.array(fresh.causes, dtype=object)[now_why]
    )
    changed = ~excluded & ((was != now) | ~same_text)
    codes = np.where(changed, now, was).astype(np.int8)
    why = np.where(changed, now_why + len(stored.causes), was_why).astype(np.int32)
    return course(stored.end, knots, codes, why, texts, marks | changed)


def tally(one: Course) -> Tally:
    """How long it was what; of its range nothing is left out."""
    lasted = np.diff(one.at, append=one.end)
    return Tally(*(int(lasted[one.codes == code].sum()) for code in range(len(CLASSES))))


def intervals_of(one: Course) -> list[Interval]:
    ends = [*one.at.tolist()[1:], one.end]
    rows = zip(one.at.tolist(), ends, one.codes.tolist(), one.why.tolist(), one.mended.tolist(), strict=True)
    return [
        Interval(start, end, CLASSES[code], one.causes[why], mark) for start, end, code, why, mark in rows
    ]


def course_of(intervals: Sequence[Interval]) -> Course:
    """From at least one, each beginning where the one before it ends."""
    numbers = {name: code for code, name in enumerate(CLASSES)}
    return course(
        intervals[-1].end,
        np.array([one.start for one in intervals], dtype=np.int64),
        np.array([numbers[one.state] for one in intervals], dtype=np.int8),
        np.arange(len(intervals), dtype=np.int32),
        [one.cause for one in intervals],
        np.array([one.repaired for one in intervals], dtype=np.bool_),
    )
