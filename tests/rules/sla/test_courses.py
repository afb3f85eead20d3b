"""Reckoning with spans: whatever is laid over what, every millisecond stays in exactly one class."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.sla.courses import (
    NOTHING,
    Course,
    course,
    course_of,
    held,
    intervals_of,
    laid_over,
    mended,
    one_after_another,
    spanning,
    steady,
    tally,
)
from rules.sla.model import CLASSES, EXCLUDED, Interval

START, END = 1_000, 2_000
CAUSES = ("", "a", "b")


@st.composite
def courses(draw: st.DrawFn, lowest: int = 0) -> Course:
    """Any course over the range; from `lowest` NOTHING on it may have holes."""
    inner = draw(st.sets(st.integers(START + 1, END - 1), max_size=8))
    at = np.array([START, *sorted(inner)], dtype=np.int64)
    codes = draw(st.lists(st.integers(lowest, len(CLASSES) - 1), min_size=len(at), max_size=len(at)))
    why = draw(st.lists(st.integers(0, 2), min_size=len(at), max_size=len(at)))
    marks = draw(st.lists(st.booleans(), min_size=len(at), max_size=len(at)))
    return course(
        END, at, np.array(codes, dtype=np.int8), np.array(why, dtype=np.int32), CAUSES, np.array(marks)
    )


def at_each_ms(one: Course) -> list[tuple[int, str, bool]]:
    codes, why, marks = one.on(np.arange(START, END, dtype=np.int64))
    return [
        (int(code), one.causes[which], bool(mark))
        for code, which, mark in zip(codes, why, marks, strict=True)
    ]


@given(courses())
def test_every_millisecond_is_in_exactly_one_class(one: Course) -> None:
    whole = tally(one)
    assert whole.whole == END - START
    said = [CLASSES[code] for code, _, _ in at_each_ms(one)]
    assert {name: said.count(name) for name in CLASSES} == {name: getattr(whole, name) for name in CLASSES}


@given(courses())
def test_intervals_are_another_way_of_writing_it(one: Course) -> None:
    rows = intervals_of(one)
    assert course_of(rows) == one
    assert all(left.end == right.start for left, right in pairwise(rows))
    assert (rows[0].start, rows[-1].end) == (START, END)


@given(courses(), st.integers(START + 1, END - 1))
def test_cut_in_two_and_put_together_it_is_what_it_was(one: Course, where: int) -> None:
    assert one_after_another([one.cut(START, where), one.cut(where, END)]) == one


@given(courses(), courses(NOTHING), courses(NOTHING))
def test_the_topmost_that_says_something_is_seen(under: Course, middle: Course, top: Course) -> None:
    seen = at_each_ms(laid_over(under, middle, top))
    for found, low, mid, high in zip(seen, *map(at_each_ms, (under, middle, top)), strict=True):
        assert found == next(said for said in (high, mid, low) if said[0] != NOTHING or said is low)


@given(courses(), courses())
def test_mending_takes_what_is_true_now_and_marks_it_unless_it_was_excluded(
    stored: Course, fresh: Course
) -> None:
    for found, was, now in zip(*map(at_each_ms, (mended(stored, fresh), stored, fresh)), strict=True):
        if was[0] in EXCLUDED or was[:2] == now[:2]:
            assert found == was
        else:
            assert found == (*now[:2], True)


@given(courses(), courses())
def test_mending_twice_changes_nothing_more(stored: Course, fresh: Course) -> None:
    once = mended(stored, fresh)
    assert mended(once, fresh) == once


@given(
    st.lists(st.tuples(st.integers(900, 2_100), st.integers(0, 2), st.integers(1, 300)), max_size=20),
)
def test_a_sample_speaks_for_the_time_until_the_next_and_no_longer_than_it_holds(
    samples: list[tuple[int, int, int]],
) -> None:
    samples.sort(key=lambda sample: sample[0])
    at, codes, hold = (np.array([sample[n] for sample in samples], dtype=np.int64) for n in range(3))
    found = held(at, codes.astype(np.int8), hold, START, END, {0: "zero"})
    for ms, (code, cause, _) in enumerate(at_each_ms(found), start=START):
        before = [sample for sample in samples if sample[0] <= ms]
        holds = bool(before) and ms < before[-1][0] + before[-1][2]
        assert code == (before[-1][1] if holds else NOTHING)
        assert cause == ("zero" if code == 0 else "")


@given(st.lists(st.tuples(st.integers(900, 2_100), st.integers(900, 2_100)), max_size=6))
def test_spans_may_overlap(spans: list[tuple[int, int]]) -> None:
    found = spanning(spans, START, END, 3, "why")
    for ms, (code, _, _) in enumerate(at_each_ms(found), start=START):
        assert code == (3 if any(begin <= ms < until for begin, until in spans) else NOTHING)


def test_equal_neighbours_are_one_span() -> None:
    rows = [
        Interval(1, 2, "up"),
        Interval(2, 3, "up"),
        Interval(3, 4, "down", "x"),
        Interval(4, 9, "down", "x"),
    ]
    assert intervals_of(course_of(rows)) == [Interval(1, 3, "up"), Interval(3, 9, "down", "x")]


def test_a_mark_keeps_neighbours_apart() -> None:
    rows = [Interval(1, 2, "up"), Interval(2, 3, "up", repaired=True)]
    assert intervals_of(course_of(rows)) == rows


@pytest.mark.parametrize("code", range(len(CLASSES)))
def test_the_same_throughout(code: int) -> None:
    assert getattr(tally(steady(START, END, code)), CLASSES[code]) == END - START
