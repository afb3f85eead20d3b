"""From the spool to the collector: what each answer means for what was sent, and what is said about it."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent import wire
from agent.clock import Moment
from agent.parting import word
from agent.pusher import Pusher
from agent.pusher.collectors import Collectors
from agent.pusher.post import Answer, Post
from agent.pusher.verdict import judge
from agent.spool import Limits, Spool
from tests.agent.receiver import TOKEN, Receiver, Reply, all_ok, problem, taken
from tests.waiting import until

NOON = 1_790_000_000_000
TICK_MS = 10_000
REFUSED = {"refused": "a bad series name"}


class Host:
    """An agent without its checks: a clock that is moved by hand, a real spool, a real connection."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.asked: list[wire.Ask] = []
        self.boot_id = "boot"
        self.boot_ms = 1_000_000
        self.offset_ms = NOON
        self.spool = Spool(folder, Limits(), self.now())
        self.post = Collectors([Post(receiver.url, TOKEN, "watchkeeper-agent/test")])
        self.pusher = self.new_pusher()

    def new_pusher(self) -> Pusher:
        return Pusher(
            self.spool,
            self.post,
            TICK_MS,
            self.now,
            lambda: self.boot_ms / 1000,
            lambda low, high: low,
            self.asked.append,
        )

    def now(self) -> Moment:
        return Moment(self.boot_id, self.boot_ms, self.boot_ms + self.offset_ms)

    def sample(self, count: int = 1, filler: int = 0) -> None:
        for number in range(count):
            if number:
                self.boot_ms += TICK_MS
            samples: dict[str, float | None] = {f"filler_{n}": n / 7 for n in range(filler)}
            self.spool.add(wire.Batch(0, 0, 0, TICK_MS, samples | {"load1": number}), self.now())

    def push(self) -> float:
        """All that goes at this moment; how long to wait then."""
        for _ in range(1_000):
            wait_s = self.pusher.step()
            if wait_s > 0:
                return wait_s
        raise AssertionError("it goes on and on")

    def live(self, seconds: float, every_s: float = 10.0) -> None:
        """Let time pass, sampling on."""
        end_ms = self.boot_ms + int(seconds * 1000)
        sample_ms = self.boot_ms
        while self.boot_ms < end_ms:
            if self.boot_ms >= sample_ms:
                self.spool.add(wire.Batch(0, 0, 0, TICK_MS, {"load1": 1.0}), self.now())
                sample_ms += int(every_s * 1000)
            wait_ms = int(self.push() * 1000) + 1
            self.boot_ms = min(self.boot_ms + wait_ms, max(sample_ms, self.boot_ms + 1))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def host(tmp_path: Path, receiver: Receiver) -> Iterator[Host]:
    host = Host(tmp_path / "spool", receiver)
    yield host
    host.post.close()
    host.spool.close()


def sizes(receiver: Receiver) -> list[int]:
    return [len(got.push.batches) for got in receiver.got]


def seqs(receiver: Receiver) -> list[list[int]]:
    return [[batch.seq for batch in got.push.batches] for got in receiver.got]


# --- what an answer means ---


@pytest.mark.parametrize(
    ("status", "body", "kind", "because"),
    [
        (200, b'{"results":["ok","again"]}', "taken", "each batch has its answer"),
        (200, b'{"results":["ok"]}', "away", "one answer is missing"),
        (200, b'{"results":["ok","fine"]}', "away", "no such answer"),
        (200, b"<html>Welcome to the hotel</html>", "away", "somebody else answers"),
        (200, b"", "away", "somebody else answers"),
        (204, b"", "away", "no collector answers so"),
        (301, b"", "misled", "a token is sent nowhere but to the address that was given"),
        (308, b"", "misled", "a token is sent nowhere but to the address that was given"),
        (400, b'{"code":"shape","message":"no"}', "too much", "one of them may be bad"),
        (400, b"<html>Bad Request</html>", "away", "a proxy says so, and not about the batches"),
        (400, b'{"code":"version","message":"speak 2"}', "misled", "an upgrade of either will make it good"),
        (401, b"", "denied", "the token is not known"),
        (403, b"", "denied", "the token is not allowed"),
        (404, b"", "misled", "this is no collector"),
        (405, b"", "misled", "this is no collector"),
        (408, b"", "away", "later"),
        (413, b"<html>nginx</html>", "too much", "a proxy may well take fewer"),
        (422, b'{"code":"shape","message":"no"}', "too much", "one of them may be bad"),
        (429, b"", "away", "later"),
        (500, b"", "away", "later"),
        (502, b"", "away", "later"),
        (503, b'{"code":"busy","message":"starting"}', "away", "later"),
    ],
)
def test_what_an_answer_to_two_batches_means(status: int, body: bytes, kind: str, because: str) -> None:
    assert judge(Answer(status, body, 1.0), 2).kind == kind, because


def test_the_words_are_the_collectors_own_where_it_has_some() -> None:
    body = wire.encode(wire.Problem("revoked", "this token was revoked on Monday"))
    assert "this token was revoked on Monday" in judge(Answer(401, body, 1.0), 1).words
    assert "status 502" in judge(Answer(502, b"<html>", 1.0), 1).words
    assert "redirected to https://x/" in judge(Answer(302, b"", 1.0, None, "https://x/"), 1).words


# --- a good day ---


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


# --- the collector is away ---


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


# --- answers for single batches ---


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


# --- what the collector asks for ---


def asking(*asks: wire.Ask) -> Reply:
    return Reply(body=wire.answer(["ok"], asks))


def test_what_the_collector_asks_for_is_done(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: asking(wire.AskSample(), wire.AskEvidence(17))
    host.sample()
    host.push()
    assert host.asked == [wire.AskSample(), wire.AskEvidence(17)]


def test_a_collector_that_takes_nothing_has_nothing_to_ask(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: Reply(503, wire.answer(["ok"], [wire.AskSample()]))
    host.sample()
    host.push()
    assert host.asked == []


def test_evidence_goes_once_and_with_the_present(host: Host, receiver: Receiver) -> None:
    host.sample(30)
    host.pusher.attach(wire.Evidence(17, NOON, 5))
    host.push()
    assert [got.push.evidence and got.push.evidence.about for got in receiver.got] == [17, None]
    host.boot_ms += TICK_MS
    host.sample()
    host.push()
    assert [got.push.evidence for got in receiver.got[2:]] == [None] * len(receiver.got[2:])


def test_evidence_that_did_not_arrive_is_sent_again(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503)
    host.pusher.attach(wire.Evidence(17, NOON, 5))
    host.live(30)
    receiver.got.clear()
    receiver.answer = all_ok
    host.live(30)
    assert [got.push.evidence for got in receiver.got if got.push.evidence] == [wire.Evidence(17, NOON, 5)]


def test_evidence_that_a_collector_cannot_take_costs_no_batch(
    host: Host, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = lambda push: problem(422, "what is this") if push.evidence else all_ok(push)
    host.pusher.attach(wire.Evidence(17, NOON, 5))
    host.sample()
    host.push()
    assert (host.spool.batches, host.spool.dropped.total(), len(receiver.got)) == (0, 0, 2)
    assert "the evidence about 17 is given up: 422 what is this" in caplog.text


def test_what_was_seen_of_others_goes_once_and_with_the_present(host: Host, receiver: Receiver) -> None:
    host.sample(30)
    host.pusher.say(wire.Looked(7, True))
    host.pusher.say(wire.Looked(8, False))
    host.push()
    assert [[one.about for one in got.push.looked] for got in receiver.got] == [[7, 8], []]


def test_what_was_seen_of_others_and_did_not_arrive_is_sent_again(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503)
    host.pusher.say(wire.Looked(7, True))
    host.live(30)
    receiver.got.clear()
    receiver.answer = all_ok
    host.live(30)
    assert [got.push.looked for got in receiver.got if got.push.looked] == [[wire.Looked(7, True)]]


# --- answers for requests as a whole ---


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
    receiver.answer = lambda push: taken(
        stored.append(b.seq) or "ok" for b in push.batches if b.seq not in stored
    )
    receiver.answer = all_ok
    host.live(100)
    everything = {batch.seq for batch in receiver.batches}
    assert everything == set(range(210))
    assert passed_over == set()
    assert host.spool.dropped.total() == 0
    assert host.spool.batches <= 1


# --- the thread ---


def test_the_thread_pushes_what_it_is_woken_for_and_ends_when_told(host: Host, receiver: Receiver) -> None:
    host.pusher.start()
    for count in range(1, 4):
        host.sample()
        host.pusher.wake()
        until(lambda count=count: len(receiver.got) == count)
    host.pusher.stop(3.0)
    assert not any(thread.name == "pusher" for thread in threading.enumerate())


def test_a_last_push_is_tried_on_the_way_out_the_newest_first(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503, Retry_After="3000")
    host.pusher.start()
    host.sample()
    host.pusher.wake()
    until(lambda: len(receiver.got) == 1)
    host.sample()
    receiver.answer = all_ok
    host.spool.add(word("restart", TICK_MS), host.now())
    host.spool.flush(host.now())
    host.pusher.stop(3.0)
    assert seqs(receiver) == [[0], [1, 2, 0]]
    assert host.spool.batches == 0


def test_the_bye_goes_behind_the_newest_sample_and_before_the_past(host: Host, receiver: Receiver) -> None:
    host.sample(4)
    host.spool.add(word("restart", TICK_MS), host.now())
    host.pusher.push_last(3.0)
    assert seqs(receiver) == [[3, 4, 0, 1, 2]]
    assert receiver.batches[1].bye == "restart"
    assert host.spool.batches == 0


def test_a_last_push_with_much_behind_it_is_of_the_newest_alone(host: Host, receiver: Receiver) -> None:
    host.sample(100)
    host.spool.flush(host.now())
    host.pusher.push_last(3.0)
    assert seqs(receiver) == [[99]]
    assert host.spool.batches == 99


def test_a_collector_that_hangs_does_not_hold_up_the_end(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: Reply(200, b"x" * 1_000, drip_s=0.05)
    host.pusher.start()
    host.sample()
    host.pusher.wake()
    until(lambda: len(receiver.got) == 1)
    began_s = time.monotonic()
    host.pusher.stop(0.3)
    assert time.monotonic() - began_s < 1


def test_the_thread_outlives_a_fault_of_its_own_and_says_it_once(
    host: Host, receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.pusher.AFTER_ERROR_S", 0.01)
    host.sample()
    keep = host.spool.keep
    host.spool.keep = lambda now: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    host.pusher.start()
    until(lambda: host.pusher.errors > 3)
    host.spool.keep = keep  # type: ignore[method-assign]
    host.pusher.wake()
    until(lambda: len(receiver.got) == 1)
    host.pusher.stop(3.0)
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert "ZeroDivisionError" in caplog.text
