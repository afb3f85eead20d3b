"""The client that presses on a server is as patient as an agent before it measures, and not at all while it does."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvloop

from agent import wire
from tests.agent.receiver import Receiver, Reply, all_ok, problem
from tests.bench import client
from tests.bench.client import WARM_UP_PUSHES, Client, Order, Pressed

HOSTS = 3
PUT_OFF = problem(503, "not now", Retry_After="0")


@contextmanager
def server(answer: Callable[[wire.Push], Reply]) -> Iterator[Receiver]:
    receiver = Receiver(answer)
    try:
        yield receiver
    finally:
        receiver.close()


class Turns:
    """Tells which push of its host one is, from 0, however often it is sent."""

    def __init__(self) -> None:
        self._firsts: dict[str, int] = {}

    def of(self, push: wire.Push) -> int:
        seq = push.batches[0].seq
        return seq - self._firsts.setdefault(push.spool, seq)


def pressed(receiver: Receiver, *, seconds: float = 0.2, per_s: float | None = 50) -> Pressed:
    """The server's processor time is that of this very process, which is not looked at here."""
    tokens = [f"wk_agent_default_host{number:04}_secret" for number in range(HOSTS)]
    return uvloop.run(Client(Order(receiver.port, os.getpid(), tokens, seconds, per_s)).run())


def test_who_is_put_off_before_it_is_measured_comes_again_with_the_same_batch() -> None:
    turns = Turns()
    tries: Counter[tuple[str, int]] = Counter()

    def the_second_time(push: wire.Push) -> Reply:
        turn = turns.of(push)
        tries[push.spool, turn] += 1
        is_first = turn == 1 and tries[push.spool, 1] == 1
        return PUT_OFF if is_first else all_ok(push)

    with server(the_second_time) as receiver:
        found = pressed(receiver)
    assert (found.put_off, found.faults) == (HOSTS, 0)
    assert found.pushes > 0
    for spool in {spool for spool, _ in tries}:
        sent = sorted(seq for its, seq in tries if its == spool)
        assert sent == list(range(len(sent)))
        assert tries[spool, 1] == 2


def test_who_is_put_off_stays_away_as_long_as_it_was_told() -> None:
    came_at: list[int] = []

    def once(push: wire.Push) -> Reply:
        came_at.append(push.batches[0].sent)
        return all_ok(push) if len(came_at) > HOSTS else problem(429, "not now", Retry_After="1")

    with server(once) as receiver:
        found = pressed(receiver)
    assert (found.put_off, found.faults) == (HOSTS, 0)
    assert came_at[HOSTS] - came_at[HOSTS - 1] >= 1_000


def test_who_is_put_off_while_it_is_measured_is_a_fault() -> None:
    turns = Turns()

    def later_no_more(push: wire.Push) -> Reply:
        return all_ok(push) if turns.of(push) < WARM_UP_PUSHES else PUT_OFF

    with server(later_no_more) as receiver:
        found = pressed(receiver)
    assert found.put_off == 0
    assert found.faults == found.pushes > 0
    assert "503" in found.fault


def test_a_push_that_is_refused_before_it_is_measured_is_a_fault() -> None:
    with server(lambda push: problem(401, "who are you?")) as receiver:
        found = pressed(receiver)
    assert found.put_off == 0
    assert found.faults >= WARM_UP_PUSHES * HOSTS


def test_a_host_whose_connection_is_closed_before_it_is_measured_opens_another() -> None:
    turns = Turns()

    def and_go(push: wire.Push) -> Reply:
        answer = all_ok(push)
        is_first = turns.of(push) < WARM_UP_PUSHES - 1
        return Reply(200, answer.body, {"Connection": "close"}) if is_first else answer

    with server(and_go) as receiver:
        found = pressed(receiver)
        assert receiver.connections == WARM_UP_PUSHES * HOSTS
    assert found.faults == 0


def test_a_server_that_never_answers_the_first_pushes_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "WARM_UP_S", 0.5)
    monkeypatch.setattr(client, "WARM_UP_S_A_HOST", 0.0)
    with server(lambda push: Reply(200, b"x" * 600, drip_s=0.1)) as receiver:
        found = pressed(receiver)
    assert (found.pushes, found.faults) == (0, 1)
    assert found.fault == "after 0.5 s the first pushes of 3 of 3 hosts were not taken"


def test_a_server_that_puts_off_the_first_pushes_for_ever_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "WARM_UP_S", 0.5)
    monkeypatch.setattr(client, "WARM_UP_S_A_HOST", 0.0)
    with server(lambda push: PUT_OFF) as receiver:
        found = pressed(receiver)
    assert (found.pushes, found.faults) == (0, 1)
    assert found.put_off > HOSTS
    assert found.fault == "after 0.5 s the first pushes of 3 of 3 hosts were not taken"


def test_what_hangs_while_it_is_measured_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()

    def drip_in_the_end(push: wire.Push) -> Reply:
        is_known = turns.of(push) < WARM_UP_PUSHES
        return all_ok(push) if is_known else Reply(200, b"x" * 600, drip_s=0.1)

    monkeypatch.setattr(client, "ANSWER_S_MAX", 0.3)
    with server(drip_in_the_end) as receiver:
        found = pressed(receiver, seconds=0.6)
    assert found.faults == HOSTS
    assert "nothing was answered for 0.3 s" in found.fault
