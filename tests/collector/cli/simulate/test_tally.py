"""What came of the pushes, counted in a space that does not grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from collector.cli.simulate.connection import Answer
from collector.cli.simulate.tally import REASONS_MAX, Latencies, Tally
from collector.cli.simulate.telling import line, report


def results(*each: wire.Result) -> Answer:
    return Answer(200, wire.encode(wire.Results(list(each))))


def problem(status: int) -> Answer:
    return Answer(status, wire.encode(wire.Problem("store", "the disk is full")))


def test_an_answer_is_counted_for_what_it_is() -> None:
    tally = Tally()
    tally.answered(results("ok"), 5.0)
    tally.answered(results("again"), 5.0)
    tally.answered(results(wire.Refused("too old")), 5.0)
    tally.answered(problem(503), 5.0)
    tally.answered(problem(401), 5.0)
    tally.answered(Answer(200, b"hello"), 5.0)
    tally.unanswered("the connection was closed")
    assert (tally.taken, tally.put_off, tally.refused, tally.lost) == (1, 2, 2, 2)
    assert tally.latencies.count == 1
    assert tally.reasons["503 store: the disk is full"] == 1
    assert tally.reasons["too old"] == 1
    assert not tally.all_well


def test_all_is_well_only_when_something_was_taken() -> None:
    tally = Tally()
    assert not tally.all_well
    tally.answered(results("ok"), 1.0)
    assert tally.all_well


def test_reasons_are_bounded_and_the_known_ones_counted_on() -> None:
    tally = Tally()
    for number in range(10 * REASONS_MAX):
        tally.unanswered(f"reason {number}")
    tally.unanswered("reason 0")
    assert len(tally.reasons) == REASONS_MAX
    assert tally.reasons["reason 0"] == 2


@given(st.lists(st.floats(0.02, 100_000), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_percentile_is_at_most_a_step_too_long(times_ms: list[float], share: float) -> None:
    latencies = Latencies()
    for ms in times_ms:
        latencies.add(ms)
    exact = sorted(times_ms)[max(0, -int(-share * len(times_ms) // 1) - 1)]
    assert exact * 0.999 <= latencies.quantile_ms(share) <= exact * 1.05


@pytest.mark.parametrize("ms", [0.0, 1e9])
def test_times_out_of_all_bounds_are_counted_too(ms: float) -> None:
    latencies = Latencies()
    latencies.add(ms)
    assert latencies.count == 1
    assert latencies.quantile_ms(0.99) > 0


def test_a_person_reads_how_it_goes_and_why_something_was_not_taken() -> None:
    tally = Tally()
    for _ in range(100):
        tally.answered(results("ok"), 2.0)
    tally.answered(problem(503), 5.0)
    tally.left_out = 3
    assert line(tally, 10.0) == "    10.0 pushes/s  p50 2.1 ms  p99 2.1 ms  1 put off  3 left out"
    assert report(tally, 10.0, 0.005, 71).splitlines() == [
        "100 pushes of 71 series were taken in 10.0 s (1 put off, 3 left out).",
        "10.0 pushes/s; p50 2.1 ms, p99 2.1 ms; this side took 50 µs of CPU a push.",
        "1 times: 503 store: the disk is full",
    ]
