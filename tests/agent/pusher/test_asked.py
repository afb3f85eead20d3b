"""What the collector asks for in its answers, and how that gets to it."""

from __future__ import annotations

import pytest

from agent import wire
from tests.agent.pusher.host import NOON, TICK_MS, Host
from tests.agent.receiver import Receiver, Reply, all_ok, problem


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
