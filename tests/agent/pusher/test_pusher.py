"""From the spool to the collector: what goes when, what each answer does to it, and what is said about it."""

from __future__ import annotations

import itertools
import logging
import random

import pytest

from agent import wire
from agent.spool import Limits, Spool
from tests.agent.pusher.host import NOON, REFUSED, TICK_MS, Host, seqs, sizes
from tests.agent.receiver import Receiver, Reply, all_ok, problem, taken

# --- a good day -------------------------------------------------------------------------------------------------------


def test_a_new_batch_goes_at_once_and_alone(host: Host, receiver: Receiver) -> None:
    for _ in range(3):
        host.sample()
        host.push()
        host.boot_ms += TICK_MS
    assert seqs(receiver) == [[0], [1], [2]]
    assert (host.spool.batches, host.pusher.state) == (0, "connected")


def test_a_push_says_when_it_was_sampled_when_sent_and_what_is_still_to_come(
    host: Host, receiver: Receiver
) -> None:
    host.sample()
    host.boot_ms += 40
    host.push()
    push = receiver.got[0].push
    (batch,) = push.batches
    assert (batch.at, batch.sent) == (NOON + 1_000_000, NOON + 1_000_040)
    assert (batch.every_ms, batch.samples) == (TICK_MS, {"load1": 0.0})
    assert (push.spool, push.boot_id, push.floor) == (host.spool.id, "boot", 0)


def test_each_push_of_the_present_measures_the_way_there_and_back(host: Host, receiver: Receiver) -> None:
    assert (host.pusher.asked, host.pusher.rtt_ms) == (False, None)
    host.sample()
    host.push()
    assert host.pusher.asked
    assert host.pusher.rtt_ms is not None
    assert 0 < host.pusher.rtt_ms < 5_000
    receiver.answer = lambda push: problem(503)
    host.sample()
    host.push()
    assert host.pusher.rtt_ms is None


# --- the collector is away --------------------------------------------------------------------------------------------


def test_while_it_is_away_it_is_tried_now_and_then_and_said_once(
    host: Host, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    receiver.answer = lambda push: problem(503, "starting")
    host.live(600)
    assert 60 <= len(receiver.got) <= 200
    assert {len(got.push.batches) for got in receiver.got} == {1}  # the present is what is tried
    receiver.answer = all_ok
    host.live(60)
    assert host.spool.batches <= 1
    sentences = [record.message.replace(str(receiver.port), "PORT") for record in caplog.records]
    assert sentences[0] == (
        "nothing reaches the collector: the collector says: starting; batches are kept in the spool"
    )
    assert sentences[1].startswith("connected to the collector at 127.0.0.1:PORT again after 60")
    assert sentences[1].endswith("batches to catch up")
    assert sentences[2:] == ["caught up: nothing is left in the spool"]
    assert sorted({batch.seq for batch in receiver.batches}) == list(
        range(len({b.seq for b in receiver.batches}))
    )


def test_the_present_goes_first_and_the_backlog_after_it_oldest_first(host: Host, receiver: Receiver) -> None:
    host.sample(51)
    assert host.push() > 0
    assert seqs(receiver) == [[50], list(range(20))]
    assert [got.push.floor for got in receiver.got] == [0, 0]
    host.boot_ms += TICK_MS
    host.push()
    assert seqs(receiver)[2:] == [list(range(20, 50))]
    assert receiver.got[2].push.floor == 20


def test_what_an_earlier_run_left_waits_for_the_first_batch_of_this_one(
    host: Host, receiver: Receiver
) -> None:
    host.sample(5)
    host.spool.flush(host.now())
    host.spool.close()
    host.spool = Spool(host.spool.folder, Limits(), host.now())
    host.pusher = host.new_pusher()
    assert host.push() > 0
    assert receiver.got == []
    host.sample()
    host.push()
    assert sizes(receiver) == [1, 5]


def test_an_hour_of_backlog_is_sent_within_two_minutes_each_batch_once(
    host: Host, receiver: Receiver
) -> None:
    host.sample(360, filler=70)
    host.live(120)
    assert host.spool.batches <= 1
    sent = [batch.seq for batch in receiver.batches]
    assert sorted(sent) == list(range(360 + 12))
    backlog = [size for size in sizes(receiver) if size > 1]
    assert len(backlog) <= sizes(receiver).count(1)
    times = [batch.at for batch in sorted(receiver.batches, key=lambda batch: batch.seq)]
    assert {after - before for before, after in itertools.pairwise(times[:360])} == {TICK_MS}


def test_a_request_keeps_to_the_limits_of_the_wire(host: Host, receiver: Receiver) -> None:
    host.sample(400, filler=600)
    host.live(300)
    assert host.spool.batches <= 1
    assert max(got.body_bytes for got in receiver.got) < 0.6 * 1024 * 1024
    assert max(sizes(receiver)) <= wire.BATCHES_PER_PUSH_MAX


def test_backlog_goes_between_long_ticks_too(host: Host, receiver: Receiver) -> None:
    host.sample(100)
    host.live(60, every_s=3600)
    assert host.spool.batches == 0


def test_a_clock_that_is_set_moves_all_that_waits_with_it(host: Host, receiver: Receiver) -> None:
    host.offset_ms = 0  # 1970
    host.sample(3)
    host.offset_ms = NOON
    host.push()
    assert sorted(batch.at for batch in receiver.batches) == [
        NOON + 1_000_000 + n * TICK_MS for n in range(3)
    ]
    assert {batch.sent for batch in receiver.batches} == {NOON + 1_000_000 + 2 * TICK_MS}


def test_what_waits_for_the_clock_to_be_set_keeps_nothing_busy(host: Host, receiver: Receiver) -> None:
    host.sample(5)
    host.spool.flush(host.now())
    host.spool.close()
    host.boot_id, host.boot_ms, host.offset_ms = "next", 5_000, 0
    host.spool = Spool(host.spool.folder, Limits(), host.now())
    host.pusher = host.new_pusher()
    host.sample()
    assert host.push() >= 5
    assert sizes(receiver) == [1]
    host.offset_ms = NOON + 2_000_000
    host.boot_ms += TICK_MS
    host.push()
    assert sizes(receiver) == [1, 5]


# --- answers for single batches ---------------------------------------------------------------------------------------


def test_each_batch_has_its_own_answer(
    host: Host, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    host.sample(4)
    receiver.answer = lambda push: taken(
        [{0: "ok", 1: "again", 2: REFUSED}.get(b.seq, "ok") for b in push.batches]
    )
    host.push()
    assert seqs(receiver) == [[3], [0, 1, 2]]
    assert [held.seq for held in host.spool.oldest(host.now(), 9, 10**9)] == [1]
    assert host.spool.dropped == {"refused": 1}
    assert "the collector refused them: a bad series name" in caplog.text


def test_again_for_all_means_later(host: Host, receiver: Receiver) -> None:
    host.sample()
    receiver.answer = lambda push: taken("again" for _ in push.batches)
    assert host.push() > 0
    assert len(receiver.got) == 1
    receiver.answer = all_ok
    host.live(20)
    assert host.spool.batches <= 1
    assert 0 in [batch.seq for batch in receiver.batches[1:]]


# --- answers for requests as a whole ----------------------------------------------------------------------------------


def test_without_a_valid_token_the_spool_keeps_all_and_it_is_said_once(
    host: Host, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = lambda push: problem(401, "this token is not known here")
    host.live(600)
    assert host.spool.batches == 60
    assert len(receiver.got) < 40
    assert len(caplog.records) == 1
    assert "does not accept the token: this token is not known here" in caplog.text
    receiver.answer = all_ok
    host.live(180)
    assert host.spool.batches <= 1
    assert host.spool.dropped.total() == 0


def test_a_redirect_is_said_and_loses_nothing(
    host: Host, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = lambda push: Reply(301, headers={"Location": "https://watch.example/"})
    host.live(100)
    assert host.spool.batches == 10
    assert len(caplog.records) == 1
    assert "redirected to https://watch.example/; the token is not sent there" in caplog.text


def test_what_the_collector_asks_to_wait_is_waited(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503, Retry_After="45")
    host.sample()
    assert host.push() == pytest.approx(45, abs=0.1)
    host.sample()
    assert host.push() == pytest.approx(45, abs=0.1)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_of_many_is_halved_until_the_bad_one_is_found(
    host: Host, receiver: Receiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {13, 77}
    receiver.answer = lambda push: (
        problem(status, "I cannot read this") if bad & {b.seq for b in push.batches} else all_ok(push)
    )
    good: set[int] = set()
    host.sample(100)
    host.live(400)
    for got in receiver.got:
        numbers = {batch.seq for batch in got.push.batches}
        good |= numbers if not numbers & bad else set()
    assert good >= set(range(100)) - bad
    assert host.spool.dropped == {"refused": 2}
    assert len([record for record in caplog.records if "I cannot read this" in record.message]) == 1


def test_a_single_batch_that_is_too_much_is_given_up(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(413)
    host.live(50)
    assert (host.spool.batches, host.spool.dropped) == (0, {"refused": 5})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Please log in to the WiFi</html>"),
        Reply(200, b'{"results":["ok","ok","ok"]}'),
        Reply(200, b"\xff\xfe\x00"),
        Reply(400, b"<html>Bad Request</html>"),
        Reply(500, b"Traceback"),
        Reply(204),
        Reply(hang_up=True),
    ],
)
def test_an_answer_that_makes_no_sense_loses_nothing(host: Host, receiver: Receiver, reply: Reply) -> None:
    receiver.answer = lambda push: reply
    host.live(100)
    assert host.spool.batches == 10
    receiver.answer = all_ok
    host.live(60)
    assert host.spool.batches <= 1
    assert {batch.seq for batch in receiver.batches} >= set(range(15))


def test_nothing_is_lost_or_doubled_whatever_the_collector_does(host: Host, receiver: Receiver) -> None:
    dice = random.Random(3)
    stored: list[int] = []
    passed_over: set[int] = set()  # below a floor, but never stored

    def moody(push: wire.Push) -> Reply:
        mood = dice.random()
        if mood < 0.3:
            return problem(dice.choice([429, 500, 503]))
        results = [dice.choice(["ok", "ok", "again"]) for _ in push.batches]
        known = set(stored)
        stored.extend(
            batch.seq
            for batch, result in zip(push.batches, results, strict=True)
            if result == "ok" and batch.seq not in known
        )
        passed_over.update(set(range(push.floor)) - known)
        if mood < 0.5:
            return Reply(hang_up=True)  # taken, but the answer is lost
        return taken(results)

    receiver.answer = moody
    host.live(2_000)
    receiver.answer = all_ok
    host.live(100)
    everything = {batch.seq for batch in receiver.batches}
    assert everything == set(range(210))
    assert passed_over == set()
    assert host.spool.dropped.total() == 0
    assert host.spool.batches <= 1
