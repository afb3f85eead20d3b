"""When the next request goes: the present at once, the backlog in its turn, and less often when it fails."""

from __future__ import annotations

import random

import pytest

from agent.pusher.pace import BACKOFF_S_MAX, BATCHES_FIRST, Pace, Turn


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def pace(every_s: float = 10.0) -> Pace:
    return Pace(every_s, middle)


@pytest.mark.parametrize(
    ("present", "backlog", "turn", "because"),
    [
        (False, False, Turn("wait", 10.0), "there is nothing to send"),
        (True, False, Turn("present"), "it goes at once"),
        (True, True, Turn("present"), "the present goes before the backlog"),
        (False, True, Turn("wait", 10.0), "only the present tells what of the backlog is over"),
    ],
)
def test_at_the_start(present: bool, backlog: bool, turn: Turn, because: str) -> None:
    assert pace().turn(0.0, present=present, backlog=backlog) == turn, because


def failed(
    times: int, *, every_s: float = 10.0, lasting: bool = False, retry_after_s: float | None = None
) -> float:
    """How long nothing goes after so many failures."""
    one = pace(every_s)
    for _ in range(times):
        one.failed(100.0, backlog=False, lasting=lasting, retry_after_s=retry_after_s)
    turn = one.turn(100.0, present=True, backlog=True)
    assert turn.kind == "wait"
    assert one.turn(100.0 + turn.wait_s, present=True, backlog=True).kind == "present"
    return turn.wait_s


@pytest.mark.parametrize(
    ("waited_s", "expected_s", "because"),
    [
        (failed(1), 1, "the first try again comes soon"),
        (failed(2), 2, "then ever later"),
        (failed(3), 4, "then ever later"),
        (failed(9), 10, "in the end as often as there is something new"),
        (failed(9, every_s=0.1), 1, "but never more often than once a second"),
        (failed(99, every_s=3600.0), 60, "and at least once a minute"),
        (failed(9, lasting=True), 60, "what a person must repair is tried once a minute"),
        (failed(1, retry_after_s=30.0), 35, "what the collector asks for wins, with some scatter after it"),
        (failed(9, retry_after_s=2.0), 7, "what the collector asks for wins if it is sooner, too"),
        (failed(1, retry_after_s=0.0), 5, "even `at once` is scattered"),
        (failed(1, retry_after_s=1e9), 3605, "but no more than an hour of silence can be asked for"),
    ],
)
def test_how_long_nothing_goes_after_a_failure(waited_s: float, expected_s: float, because: str) -> None:
    assert waited_s == pytest.approx(expected_s), because


def test_after_a_success_failures_are_counted_anew() -> None:
    one = pace()
    for _ in range(5):
        one.failed(0.0, backlog=False)
    one.went_well(50.0, backlog=False, took_s=0.1)
    one.failed(60.0, backlog=False)
    assert one.turn(60.0, present=True, backlog=True) == Turn("wait", 1.0)


@pytest.mark.parametrize(
    ("every_s", "took_s", "rest_s", "because"),
    [
        (10.0, 0.1, 11.0, "once a tick, or a little less"),
        (1.0, 0.1, 1.1, "once a tick, or a little less"),
        (3600.0, 0.1, 11.0, "between long ticks too"),
        (1.0, 8.0, 8.0, "no more than half of the time"),
    ],
)
def test_how_long_the_backlog_rests(every_s: float, took_s: float, rest_s: float, because: str) -> None:
    one = pace(every_s)
    one.went_well(100.0, backlog=False, took_s=0.1)
    assert one.turn(100.0, present=False, backlog=True) == Turn("backlog")
    one.went_well(100.0, backlog=True, took_s=took_s)
    turn = one.turn(100.0, present=False, backlog=True)
    assert turn.kind == "wait"
    assert turn.wait_s == pytest.approx(rest_s), because
    assert one.turn(100.0, present=True, backlog=True) == Turn("present")
    assert one.turn(100.1 + rest_s, present=False, backlog=True) == Turn("backlog")


def test_requests_grow_while_they_go_well_and_shrink_when_not() -> None:
    one = pace()
    sizes = []
    for _ in range(6):
        sizes.append(one.batches)
        one.went_well(0.0, backlog=True, took_s=0.0)
    assert sizes == [20, 40, 80, 160, 200, 200]
    one.failed(0.0, backlog=True)
    assert one.batches == 100
    one.failed(0.0, backlog=False)
    assert one.batches == 100
    one.was_too_much(33)
    assert one.batches == 16
    one.was_too_much(1)
    assert one.batches == 1


def test_an_hour_of_backlog_is_caught_up_within_two_minutes() -> None:
    one = Pace(10.0, max)  # the unluckiest dice
    one.failed(0.0, backlog=False)
    one.went_well(0.0, backlog=False, took_s=0.0)
    now_s, left, backlogs, presents = 0.0, 360, 0, 0
    while left > 0:
        turn = one.turn(now_s, present=False, backlog=True)
        if turn.kind == "backlog":
            left -= one.batches
            backlogs += 1
            one.went_well(now_s, backlog=True, took_s=0.2)
        else:
            now_s += turn.wait_s
    presents = int(now_s / 10)
    assert now_s < 120
    assert backlogs <= presents + 1


def test_a_fleet_that_lost_its_collector_does_not_come_back_all_at_once() -> None:
    """1,000 agents of one collector that is away for a minute: no second sees more than a fifth of them."""
    dice = random.Random(1)
    tries: list[float] = []
    catching_up: list[float] = []
    for _ in range(1_000):
        one, now_s = Pace(10.0, dice.uniform), dice.uniform(0, 10)
        while now_s < 60:
            one.failed(now_s, backlog=False)
            now_s += one.turn(now_s, present=True, backlog=True).wait_s
        tries.append(now_s)
        one.went_well(now_s, backlog=False, took_s=0.0)
        catching_up.append(now_s + one.turn(now_s, present=False, backlog=True).wait_s)
    for moments in (tries, catching_up):
        busiest = max(sum(second <= moment < second + 1 for moment in moments) for second in range(60, 100))
        assert busiest <= 200
    assert max(catching_up) < 60 + 15 + 10


def test_the_limits_are_what_the_words_say() -> None:
    assert (BATCHES_FIRST, BACKOFF_S_MAX) == (20, 60)
