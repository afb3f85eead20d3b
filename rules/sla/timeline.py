"""What a service was, from what was sampled: exact spans, each with its cause.

A state holds from its sample to the next, and for two and a half intervals at most; after that nothing is known. A
check that nobody answers for is unknown: its vantage point may be gone, and the service well. A host that is a part of
the service itself and is not heard is down, unless it was the collector that did not listen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from rules.model import HOLDS
from rules.sla.courses import (
    NOTHING,
    Codes,
    Course,
    Times,
    course,
    held,
    laid_over,
    one_after_another,
    spanning,
    steady,
)
from rules.sla.model import CLASSES, DEGRADED, DOWN, MAINTENANCE, OUTSIDE, UNKNOWN, UP, Need, ServiceOptions
from rules.times import calendar

SLOW, GONE = len(CLASSES), len(CLASSES) + 1
"""Degraded, with words of its own; and a check that its host, which is heard, does not have any more."""
NAMED_MAX = 3
"""Of how many parts a cause speaks; the others are counted."""
CAUSE_CHARS_MAX = 400
SEPARATOR = "; "
CELLS_MAX = 4_000_000
"""Parts times moments that are looked at in one go; some 40 MB."""
AWAY = "the collector was away"
NO_PART = "there was nothing to look at"


class Heard(Struct, frozen=True, eq=False):
    """When batches of a host were sampled, ascending, and how long their ticks were. `first_at` is when it was heard
    for the first time, so far as is known; None for a host that never was."""

    at: Times
    every_ms: Times
    first_at: int | None

    @property
    def hold_ms(self) -> Times:
        hold_ms: Times = np.floor(self.every_ms * HOLDS).astype(np.int64)
        return hold_ms

    def hold_of(self, at: Times) -> Times:
        """How long samples of these times hold; each belongs to one of the batches."""
        return self.hold_ms[np.searchsorted(self.at, at)]


class Answers(Struct, frozen=True, eq=False):
    """What one check of a host said: 0 ok, 1 warn, 2 bad, NaN no answer. `slow_at` are the times at which it took
    longer than is promised."""

    at: Times
    states: npt.NDArray[np.float64]
    slow_at: Times


class Range(Struct, frozen=True):
    """A stretch of time to be looked at, and when in it the collector did not listen."""

    start: int
    end: int
    away: tuple[tuple[int, int], ...] = ()


# --- one part ---------------------------------------------------------------------------------------------------------


def check_course(check: str, host: str, heard: Heard, answers: Answers, over: Range, limit: str) -> Course:
    """How one check, asked from one host, saw the service; `limit` is in words how fast it is to answer.

    An agent says of each of its checks how it stands, or that there was no answer. So where the host is heard and the
    check is not named, it is not asked there, and no part of anything.
    """
    codes = np.full(len(answers.at), UNKNOWN, dtype=np.int8)
    for value, code in ((0, UP), (1, DEGRADED), (2, DOWN)):
        codes[answers.states == value] = code
    slow = (codes == UP) & np.isin(answers.at, answers.slow_at)
    codes[slow] = SLOW
    place, hold_ms = f"{check} from {host}", heard.hold_of(answers.at)
    words = {
        DOWN: f"{place} is bad",
        DEGRADED: f"{place} warns",
        UNKNOWN: f"{place} gave no answer",
        SLOW: f"{place} took longer than {limit}",
    }
    said = held(answers.at, codes, hold_ms, over.start, over.end, words)
    there = _while_heard(heard, GONE, over)
    whole = _part(heard, over, UNKNOWN, host, laid_over(there, said))
    plain = np.select([whole.codes == SLOW, whole.codes == GONE], [DEGRADED, NOTHING], whole.codes)
    return course(whole.end, whole.at, plain.astype(np.int8), whole.why, whole.causes)


def host_course(host: str, heard: Heard, over: Range) -> Course:
    """Whether a host was there."""
    return _part(heard, over, DOWN, host, _while_heard(heard, UP, over))


def _while_heard(heard: Heard, code: int, over: Range) -> Course:
    codes: Codes = np.full(len(heard.at), code, dtype=np.int8)
    return held(heard.at, codes, heard.hold_ms, over.start, over.end, {})


def _part(heard: Heard, over: Range, silent: int, host: str, said: Course) -> Course:
    """What is said, and what stands where nothing is; before its host was first heard it is no part of anything."""
    under = steady(over.start, over.end, silent, f"{host} was not heard")
    whole = laid_over(under, spanning(over.away, over.start, over.end, UNKNOWN, AWAY), said)
    begin = over.end if heard.first_at is None else min(max(heard.first_at, over.start), over.end)
    if begin == over.start:
        return whole
    before = steady(over.start, begin, NOTHING)
    return before if begin == over.end else one_after_another([before, whole.cut(begin, over.end)])


# --- several parts ----------------------------------------------------------------------------------------------------


def combined(parts: Sequence[Course], need: Need, over: Range, cells_max: int = CELLS_MAX) -> Course:
    """What the whole is when so many of its parts must be well.

    It is down when so many are that the others cannot be enough, and unknown when those of which nothing is known would
    decide. A part in maintenance decides nothing worse than maintenance.
    """
    knots: Times = np.unique(np.concatenate([np.array([over.start]), *(part.at for part in parts)]))
    step = max(1, cells_max // max(1, len(parts)))
    ends = [*knots[step::step].tolist(), over.end]
    pieces = [knots[first : first + step] for first in range(0, len(knots), step)]
    return one_after_another(
        [_combined(parts, need, piece, end) for piece, end in zip(pieces, ends, strict=True)]
    )


def _combined(parts: Sequence[Course], need: Need, knots: Times, end: int) -> Course:
    """Of the time between the first of `knots` and `end`; no part changes but at one of them."""
    table = np.full((len(parts), len(knots)), NOTHING, dtype=np.int8)
    for row, part in enumerate(parts):
        table[row] = part.on(knots)[0]
    up, degraded, down, maintenance, unknown = (
        np.isin(table, codes).sum(axis=0)
        for codes in ([UP], [DEGRADED], [DOWN], [MAINTENANCE, OUTSIDE], [UNKNOWN])
    )
    there = up + degraded + down + maintenance + unknown
    wanted = np.maximum(there, 1) if need == "all" else np.full(len(knots), 1 if need == "any" else need)
    unknown = unknown + np.maximum(wanted - there, 0)
    codes = np.select(
        [
            up >= wanted,
            up + degraded >= wanted,
            up + degraded + maintenance + unknown < wanted,
            up + degraded + maintenance >= wanted,
        ],
        [UP, DEGRADED, DOWN, MAINTENANCE],
        UNKNOWN,
    ).astype(np.int8)
    return _because(parts, table, knots, codes, wanted, end)


def _because(
    parts: Sequence[Course],
    table: npt.NDArray[np.int8],
    knots: Times,
    codes: Codes,
    wanted: Times,
    end: int,
) -> Course:
    """The combined course, with the causes of those parts that made it what it is."""
    causes, why = [""], np.zeros(len(knots), dtype=np.int32)
    whys = np.array([part.on(knots)[1] for part in parts], dtype=np.int32).reshape(len(parts), len(knots))
    known: dict[tuple[int, int, bytes, bytes], int] = {}
    for place in np.flatnonzero(codes != UP).tolist():
        code = int(codes[place])
        alike = (MAINTENANCE, OUTSIDE) if code == MAINTENANCE else (code,)
        rows = np.flatnonzero(np.isin(table[:, place], alike))
        missing = int(wanted[place]) - int((table[:, place] != NOTHING).sum()) if code == UNKNOWN else 0
        key = (code, missing, rows.tobytes(), whys[rows, place].tobytes())
        if key not in known:
            texts = [parts[row].causes[whys[row, place]] for row in rows.tolist()]
            known[key] = len(causes)
            causes.append(in_words([*texts, *_missing(missing, int(wanted[place]))]))
        why[place] = known[key]
    return course(end, knots, codes, why, causes)


def _missing(missing: int, wanted: int) -> Iterator[str]:
    if missing >= wanted:
        yield NO_PART
    elif missing > 0:
        yield f"only {wanted - missing} of the {wanted} parts it needs are there"


def in_words(causes: Sequence[str]) -> str:
    """Several causes as one: each once, the first few by name."""
    different = list(dict.fromkeys(filter(None, causes)))
    words, more = SEPARATOR.join(different[:NAMED_MAX]), len(different) - NAMED_MAX
    return (f"{words} and {more} more" if more > 0 else words)[:CAUSE_CHARS_MAX]


class Group(Struct, frozen=True):
    """Parts of one kind, of which so many must be well."""

    parts: tuple[Course, ...]
    need: Need


def service_course(groups: Sequence[Group], over: Range, excluded: Course) -> Course:
    """What a service was: all of its groups must be well. `excluded` goes over that."""
    wholes = [combined(group.parts, group.need, over) for group in groups]
    whole = wholes[0] if len(wholes) == 1 else combined(wholes, "all", over)
    return laid_over(whole, excluded)


# --- what does not count ----------------------------------------------------------------------------------------------


def excluded_course(
    service: ServiceOptions, over: Range, more: Mapping[str, Sequence[tuple[int, int]]] = MappingProxyType({})
) -> Course:
    """The time that does not count, and nothing beside it: maintenance, and what lies outside of business hours.

    `more` are the spans of further maintenance by what it is called. Time that nobody was promised is not said to be
    maintained: business hours go first.
    """
    spans = {
        f"maintenance, {text}": _spans(calendar.times(text, service.zone), over)
        for text in service.maintenance
    }
    tops = [
        spanning(found, over.start, over.end, MAINTENANCE, name) for name, found in {**spans, **more}.items()
    ]
    if service.hours:
        hours = spanning(
            _spans(calendar.times(service.hours, service.zone), over), over.start, over.end, UP, ""
        )
        tops.append(_where_it_says_nothing(hours, OUTSIDE, f"outside of {', '.join(service.hours)}"))
    return laid_over(steady(over.start, over.end, NOTHING), *tops)


def _spans(when: calendar.Times, over: Range) -> list[tuple[int, int]]:
    return list(takewhile(lambda span: span[0] < over.end, when.spans(over.start)))


def _where_it_says_nothing(one: Course, code: int, cause: str) -> Course:
    nothing = one.codes == NOTHING
    codes = np.where(nothing, code, NOTHING).astype(np.int8)
    return course(one.end, one.at, codes, nothing.astype(np.int32), ("", cause))
