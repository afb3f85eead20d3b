"""Held against a plain set, which is exact but grows for ever."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.memory.seen import GAPS_MAX, Seen, TooManyGaps

SPOOL = "0" * 32
seqs = st.integers(min_value=0, max_value=60)
steps = st.lists(st.one_of(st.tuples(st.just("take"), seqs), st.tuples(st.just("floor"), seqs)), max_size=120)


def new() -> Seen:
    return Seen(host=1, spool=SPOOL)


def is_in_order(seen: Seen) -> bool:
    """Ranges are ascending, none is empty, and between any two, as before the first, something is missing."""
    edges = [(-1, seen.below - 1), *seen.ranges]
    return all(before[1] + 1 < after[0] <= after[1] for before, after in pairwise(edges))


@given(steps)
def test_it_knows_exactly_what_a_set_would_know(steps: list[tuple[str, int]]) -> None:
    seen, plain = new(), set[int]()
    for step, number in steps:
        if step == "take":
            assert seen.add(number) == (number not in plain)
            plain.add(number)
        else:
            seen.forget_below(number)
            plain.update(range(number))
        assert is_in_order(seen)
        assert {seq for seq in range(70) if seq in seen} == plain


@given(st.lists(st.tuples(seqs, seqs), max_size=120))
def test_what_follows_from_a_batch_is_the_floor_and_then_its_number_and_what_was_stays(
    batches: list[tuple[int, int]],
) -> None:
    seen, plain = new(), set[int]()
    for seq, floor in batches:
        before = msgspec.json.encode(seen)
        followed = seen.after(seq, floor)
        assert msgspec.json.encode(seen) == before
        plain.update(range(floor))
        assert (followed is None) == (seq in plain)
        if followed is None:
            seen.forget_below(floor)
        else:
            seen = followed
        plain.add(seq)
        assert is_in_order(seen)
        assert {number for number in range(70) if number in seen} == plain


@given(st.lists(seqs, unique=True).flatmap(lambda taken: st.tuples(st.just(taken), st.permutations(taken))))
def test_it_is_the_same_in_whatever_order_batches_came(orders: tuple[list[int], list[int]]) -> None:
    seen = []
    for order in orders:
        seen.append(new())
        for seq in order:
            seen[-1].add(seq)
    assert seen[0] == seen[1]


def test_numbers_in_a_row_take_no_room() -> None:
    seen = new()
    for seq in range(10_000):
        seen.add(seq)
    assert (seen.below, seen.ranges) == (10_000, [])


def test_a_gap_that_is_filled_is_forgotten() -> None:
    seen = new()
    for seq in (0, 2, 3, 6, 1):
        seen.add(seq)
    assert (seen.below, seen.ranges) == (4, [(6, 6)])


def test_what_the_agent_gave_up_closes_the_gaps_below() -> None:
    seen = new()
    for seq in (5, 6, 9):
        seen.add(seq)
    seen.forget_below(6)
    assert (seen.below, seen.ranges) == (7, [(9, 9)])
    seen.forget_below(3)
    assert seen.below == 7
    assert 3 in seen


def with_all_gaps_open() -> Seen:
    seen = new()
    for gap in range(GAPS_MAX):
        seen.add(2 * gap + 1)
    return seen


def test_one_gap_too_many_is_refused_and_changes_nothing() -> None:
    seen = with_all_gaps_open()
    before = msgspec.json.encode(seen)
    with pytest.raises(TooManyGaps, match=f"{GAPS_MAX} gaps"):
        seen.add(2 * GAPS_MAX + 1)
    assert msgspec.json.encode(seen) == before


def test_with_all_gaps_open_what_opens_none_is_taken() -> None:
    seen = with_all_gaps_open()
    assert not seen.add(1)
    assert seen.add(2 * GAPS_MAX)  # goes on from the last range
    assert seen.add(10)  # joins two ranges
    assert seen.add(0)  # the first that is missing
    assert seen.add(10**15)  # now there is room for another gap
    assert is_in_order(seen)


def test_two_spools_do_not_share_what_they_have_seen() -> None:
    one, other = new(), Seen(host=1, spool="1" * 32)
    one.add(5)
    assert 5 not in other
    assert other.ranges == []
