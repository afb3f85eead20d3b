"""The spool: nothing acknowledged comes back, nothing unacknowledged is lost within its limits, order is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.spool import Limits, Spool
from tests.agent.spool.life import (
    EVERYTHING,
    HOUR_MS,
    TICK_MS,
    Clock,
    again,
    batch,
    everything,
    fill,
    loads,
    on_disk,
    segments,
)

# --- a good day -------------------------------------------------------------------------------------------------------


def test_a_batch_that_is_acknowledged_promptly_never_touches_the_disk(spool: Spool, clock: Clock) -> None:
    for _ in range(50):
        spool.add(batch(), clock.pass_(TICK_MS))
        held = spool.newest()
        assert held is not None
        spool.done([held.seq])
        assert segments(spool.folder) == []
    assert (spool.batches, spool.size_bytes, spool.newest()) == (0, 0, None)


def test_the_floor_is_the_lowest_number_that_may_still_be_sent(spool: Spool, clock: Clock) -> None:
    assert spool.floor == 0
    fill(spool, clock, 5)
    first, second, *_ = everything(spool, clock.now())
    assert spool.floor == first.seq
    spool.done([first.seq])
    assert spool.floor == second.seq
    spool.done([held.seq for held in everything(spool, clock.now())])
    assert spool.floor == 5


# --- the collector is away --------------------------------------------------------------------------------------------


def test_what_is_not_acknowledged_after_two_ticks_is_on_disk(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    survivors = everything(again(spool, clock.now()), clock.now())
    assert loads(survivors) == [0, 1, 2, 3, 4, 5, 6, 7]  # kill -9 took the last two


def test_between_ticks_too_what_is_due_goes_to_disk(spool: Spool, clock: Clock) -> None:
    spool.add(batch(), clock.now())
    spool.keep(clock.pass_(19_999))
    assert segments(spool.folder) == []
    spool.keep(clock.pass_(1))
    assert len(segments(spool.folder)) == 1


def test_a_stop_puts_everything_on_disk(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    spool.close()
    later = Spool(spool.folder, Limits(), clock.pass_(60_000))
    assert loads(everything(later, clock.now())) == list(range(10))
    assert later.id == spool.id


def test_the_newest_is_of_this_run_be_it_in_memory_or_on_disk(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 3)
    newest = spool.newest()
    spool.flush(clock.now())
    assert newest is not None
    assert spool.newest() == newest
    assert again(spool, clock.now()).newest() is None


def test_a_request_holds_at_least_one_and_no_more_than_both_limits(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    size = len(everything(spool, clock.now())[0].tail)
    assert loads(spool.oldest(clock.now(), 3, EVERYTHING)) == [0, 1, 2]
    assert loads(spool.oldest(clock.now(), EVERYTHING, 4 * size)) == [0, 1, 2, 3]
    assert loads(spool.oldest(clock.now(), EVERYTHING, 1)) == [0]


def test_when_all_is_acknowledged_no_file_is_left(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 1_000, filler="x" * 900)
    spool.flush(clock.now())
    assert len(segments(spool.folder)) > 0
    while held := spool.oldest(clock.now(), 200, EVERYTHING):
        spool.done([one.seq for one in held])
    assert segments(spool.folder) == []
    assert (spool.batches, spool.size_bytes) == (0, 0)


def test_an_acknowledgement_may_come_after_the_batch_went_to_disk(spool: Spool, clock: Clock) -> None:
    spool.add(batch(), clock.now())
    held = spool.newest()
    assert held is not None
    spool.keep(clock.pass_(30_000))
    spool.done([held.seq, held.seq, 999])
    assert (spool.batches, segments(spool.folder)) == (0, [])


def test_what_was_acknowledged_does_not_come_back_after_a_kill(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 20)
    spool.flush(clock.now())
    spool.done([held.seq for held in everything(spool, clock.now())[5:15]])
    later = again(spool, clock.now())
    assert loads(everything(later, clock.now())) == [0, 1, 2, 3, 4, 15, 16, 17, 18, 19]
    assert later.batches == 10


def test_a_refused_batch_is_given_up_counted_and_said_once_per_reason(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fill(spool, clock, 6)
    for number, held in enumerate(everything(spool, clock.now())):
        spool.refuse(held, clock.now(), f"{number} s too early" if number % 2 else "a bad name")
    assert (spool.batches, spool.dropped.total()) == (0, 6)
    assert [record.message for record in caplog.records] == [
        "given up because the collector refused them: a bad name: 1 batches now, 1 since the start",
        "given up because the collector refused them: 1 s too early: 1 batches now, 2 since the start",
    ]


def test_what_goes_on_being_given_up_is_said_once_an_hour(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3 * HOUR_MS // TICK_MS):
        spool.add(batch(), clock.pass_(TICK_MS))
        held = spool.newest()
        assert held is not None
        spool.refuse(held, clock.now(), "a bad name")
    assert len(caplog.records) == 3
    assert caplog.records[-1].message.endswith("1 batches now, 721 since the start")


# --- limits -----------------------------------------------------------------------------------------------------------


def test_beyond_its_bytes_the_oldest_go_and_are_counted(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(bytes_max=1024 * 1024)
    spool = Spool(folder, limits, clock.now())
    fill(spool, clock, 600, filler="x" * 950 + "y" * 950 + "z" * 950)
    assert on_disk(folder) <= limits.bytes_max
    left = loads(everything(spool, clock.now()))
    assert left == list(range(600 - len(left), 600))  # the newest, without a hole
    assert len(left) > 600 / 3  # a MiB holds some 350 of them, and the oldest go 16 KiB at a time
    assert spool.dropped == {"full": 600 - len(left)}
    assert len([record for record in caplog.records if "spool_max" in record.message]) == 1


def test_a_limit_that_was_lowered_holds_after_the_next_batch(folder: Path, clock: Clock) -> None:
    spool = Spool(folder, Limits(bytes_max=64 * 1024 * 1024), clock.now())
    fill(spool, clock, 2_000, filler="x" * 990)
    spool.flush(clock.now())
    limits = Limits(bytes_max=1024 * 1024)
    assert on_disk(folder) > limits.bytes_max
    later = again(spool, clock.now(), limits)
    fill(later, clock, 5)
    assert on_disk(folder) <= limits.bytes_max


def test_beyond_its_age_the_oldest_go_and_are_counted(folder: Path, clock: Clock) -> None:
    spool = Spool(folder, Limits(age_ms_max=HOUR_MS), clock.now())
    fill(spool, clock, 400)
    assert loads(everything(spool, clock.now())) == list(range(39, 400))
    assert spool.dropped == {"old": 39}
    spool.keep(clock.pass_(2 * HOUR_MS))
    assert (spool.batches, segments(folder), spool.dropped["old"]) == (0, [], 400)
