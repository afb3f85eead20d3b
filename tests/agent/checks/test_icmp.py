from __future__ import annotations

import os
import time
from typing import Any

import msgspec
import pytest

from agent.checks import Measured
from agent.checks.icmp import Check, Options
from tests.agent.checks.far_host import FAR, FAR_6, Answer, can_be_made, far_host, in_a_network_of_ours
from tests.conftest import Needs

LOSS, MIN, AVG, MAX = (
    f'icmp_{what}{{check="far"}}' for what in ("loss_pct", "rtt_min_ms", "rtt_avg_ms", "rtt_max_ms")
)
NO_ANSWER = dict.fromkeys((LOSS, MIN, AVG, MAX))


def asked(host: str = FAR, **more: Any) -> Measured:
    options: dict[str, Any] = {"id": "far", "host": host, "gap_ms": 50, "timeout_s": 2.0}
    return Check(Options(**(options | more))).measure(0.0)


def asked_over(wire: Answer, host: str = FAR, **more: Any) -> Measured:
    with far_host(wire):
        return asked(host, **more)


@pytest.fixture(autouse=True)
def network(needs: Needs) -> None:
    needs("ip")
    needs.that(can_be_made(), "needs root and /dev/net/tun, for a network of its own")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_host_answers_itself(host: str) -> None:
    found = in_a_network_of_ours(lambda: asked(host))
    assert (found.state, found.detail) == ("ok", "")
    assert found.samples[LOSS] == 0
    values = [found.samples[name] or 0 for name in (MIN, AVG, MAX)]
    assert values == sorted(values)
    assert 0 < values[0] < 100


@pytest.mark.parametrize("host", [FAR, FAR_6])
def test_a_far_host_is_timed(host: str) -> None:
    delays = {0: 0.05, 1: 0.15, 2: 0.1}
    found = in_a_network_of_ours(lambda: asked_over(delays.get, host))
    assert (found.state, found.samples[LOSS]) == ("ok", 0)
    assert 50 <= (found.samples[MIN] or 0) < 200
    assert 100 <= (found.samples[AVG] or 0) < 300
    assert 150 <= (found.samples[MAX] or 0) < 400


def test_answers_may_come_in_any_order() -> None:
    delays = {0: 0.3, 1: 0.2, 2: 0.05}
    found = in_a_network_of_ours(lambda: asked_over(delays.get))
    assert found.samples[LOSS] == 0
    assert 300 <= (found.samples[MAX] or 0) < 800


@pytest.mark.parametrize("host", [FAR, FAR_6])
def test_what_is_lost_is_counted(host: str) -> None:
    answered = {0: 0.01, 2: 0.01, 3: 0.01}
    found = in_a_network_of_ours(lambda: asked_over(answered.get, host, count=4, timeout_s=0.6))
    assert (found.state, found.detail, found.samples[LOSS]) == ("ok", "", 25)
    assert found.samples[AVG] is not None


def test_more_loss_than_allowed_is_a_warning() -> None:
    found = in_a_network_of_ours(lambda: asked_over({1: 0.01}.get, timeout_s=0.6))
    assert (found.state, found.detail) == ("warn", "more than 50 % of the pings were lost")
    assert found.samples[LOSS] == pytest.approx(66.7, abs=0.1)


def test_a_host_that_is_silent_ends_with_the_limit() -> None:
    def silent() -> Measured:
        began = time.monotonic()
        found = asked_over(lambda number: None, timeout_s=0.5)
        assert 0.4 < time.monotonic() - began < 1.9
        return found

    found = in_a_network_of_ours(silent)
    assert found == Measured(NO_ANSWER | {LOSS: 100}, "bad", f"no answer from {FAR} within 0.5 s")


def test_what_a_router_says_is_said_at_once() -> None:
    def refused() -> Measured:
        began = time.monotonic()
        found = asked_over(lambda number: "a router")
        assert time.monotonic() - began < 1.8, "it waits for two seconds where nobody says anything"
        return found

    found = in_a_network_of_ours(refused)
    assert found == Measured(NO_ANSWER | {LOSS: 100}, "bad", f"{FAR}: no route to host")


def test_a_router_that_refuses_some_leaves_the_others() -> None:
    found = in_a_network_of_ours(lambda: asked_over(lambda number: "a router" if number == 0 else 0.01))
    assert (found.state, found.detail) == ("ok", "")
    assert found.samples[LOSS] == pytest.approx(33.3, abs=0.1)


def test_an_answer_to_another_question_is_let_pass() -> None:
    def two_at_once() -> list[Measured]:
        with far_host(lambda number: 0.01 if number else None):
            return [asked(count=2, timeout_s=0.4), asked(count=1, timeout_s=0.2)]

    first, second = in_a_network_of_ours(two_at_once)
    assert (first.samples[LOSS], second.samples[LOSS]) == (50, 100)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_no_way_there(host: str) -> None:
    found = in_a_network_of_ours(lambda: asked(host))
    assert found == Measured(NO_ANSWER, "bad", f"{host}: network is unreachable")


def test_a_slow_host_is_a_warning() -> None:
    found = in_a_network_of_ours(lambda: asked_over(lambda number: 0.1, slow_ms=50))
    assert (found.state, found.detail) == ("warn", "slower than 50 ms")


def test_a_kernel_that_lets_nobody_send_pings_is_our_own_trouble() -> None:
    found = in_a_network_of_ours(lambda: asked("127.0.0.1"), pings=False)
    group = f"the kernel does not let group {os.getegid()} send pings"
    said = f"{group}; sysctl net.ipv4.ping_group_range says which it lets"
    assert found == Measured(NO_ANSWER, "unknown", said)


def test_a_name_that_does_not_resolve() -> None:
    found = asked("no-such-host.invalid")
    assert (found.samples, found.state) == (NO_ANSWER, "bad")
    assert found.detail.startswith("the name no-such-host.invalid does not resolve (")


@pytest.mark.parametrize(
    "options", [{"count": 0}, {"gap_ms": 1}, {"count": 26}, {"loss_pct_max": 101}, {"host": ""}]
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected|timeout must be longer than all gaps"):
        msgspec.convert({"host": FAR} | options, Options)
