from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.checks.tcp_states import (
    LISTEN,
    LOOK_AGAIN_S,
    Check,
    Options,
    counted,
    field_after,
    fields,
    in_states,
    rates,
    take,
)
from tests.waiting import until

NUMBERS = {
    "established": "01",
    "syn_sent": "02",
    "fin_wait2": "05",
    "time_wait": "06",
    "close_wait": "08",
    "listen": "0A",
}
"""States as /proc/net/tcp writes them."""

SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 2 64
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens CurrEstab InSegs OutSegs RetransSegs InErrs
Tcp: 1 200 120000 -1 24097 2 2177911 2165412 309 0
Udp: InDatagrams NoPorts
Udp: 404 0
"""
SOCKSTAT = """\
sockets: used 21
TCP: inuse 5 orphan 0 tw 7345 alloc 5 mem 258
UDP: inuse 0 mem 0
"""


def told(state: str) -> int:
    """How many sockets of a state are in /proc/net/tcp and tcp6."""
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return sum(line.split()[3] == NUMBERS[state] for line in lines)


def sockets(state: str, check: Check | None = None) -> float | None:
    return (check or Check(Options())).measure(0.0).samples[f'tcp_sockets{{state="{state}"}}']


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Forty connections over IPv4 and as many over IPv6, where there is any: (who asked, who answered)."""
    with contextlib.ExitStack() as opened:
        made = []
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                listener = opened.enter_context(socket.create_server((address, 0), family=family, backlog=64))
            except OSError:
                continue
            for _ in range(40):
                here = opened.enter_context(socket.create_connection(listener.getsockname()[:2]))
                made.append((here, opened.enter_context(listener.accept()[0])))
        yield made


def test_established_connections_and_listeners_agree_with_proc_net_tcp(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    assert told("established") >= 2 * len(pairs)
    assert sockets("established") == pytest.approx(told("established"), abs=15)
    assert sockets("listen") == pytest.approx(told("listen"), abs=5)


def test_what_a_program_does_not_close_shows_on_both_sides(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    for here, _ in pairs:
        here.shutdown(socket.SHUT_WR)
    assert told("close_wait") >= len(pairs)
    assert sockets("close_wait") == pytest.approx(told("close_wait"), abs=15)
    # Connections that others have just ended are half with the kernel for up to a minute.
    until(lambda: sockets("fin_wait2") == pytest.approx(told("fin_wait2"), abs=15), limit_s=90)


def test_what_waits_out_its_end_agrees_with_proc_net_tcp(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    for here, there in pairs:
        here.close()
        there.close()
    count = told("time_wait")
    assert count >= len(pairs)
    assert sockets("time_wait") == pytest.approx(count, rel=0.1, abs=15)


def test_a_program_that_takes_no_connections_overflows() -> None:
    check = Check(Options())
    check.measure(100.0)
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        for _ in range(8):
            asking = opened.enter_context(socket.socket())
            asking.setblocking(False)
            asking.connect_ex(listener.getsockname())
        deadline = time.monotonic() + 5
        while sockets("syn_sent") == 0:  # those for whom there is no room go on asking
            assert time.monotonic() < deadline
        found = check.measure(110.0)
    assert found.samples["tcp_listen_overflows_per_s"] is not None
    assert found.samples["tcp_listen_overflows_per_s"] > 0


def test_each_state_has_a_series_even_when_no_socket_is_in_it() -> None:
    samples = Check(Options()).measure(0.0).samples
    states = {name.split('"')[1] for name in samples if name.startswith("tcp_sockets")}
    assert states == {
        "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close_wait",
        "last_ack", "listen", "closing",
    }  # fmt: skip


def test_more_sockets_than_can_be_counted_in_a_tick_are_not() -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(600):  # more than the kernel tells in one answer
            opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        assert counted([LISTEN]).total() >= 600
        with pytest.raises(OSError, match="more than 100 in states to be counted"):
            counted([LISTEN], sockets_max=100)


def test_what_takes_a_long_look_is_counted_once_a_minute_and_told_again_in_between(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    check = Check(Options())

    def close_wait(at_s: float) -> float:
        return check.measure(at_s).samples['tcp_sockets{state="close_wait"}'] or 0

    before = close_wait(0.0)
    for here, _ in pairs:
        here.shutdown(socket.SHUT_WR)
    assert close_wait(10.0) == before
    assert close_wait(LOOK_AGAIN_S) >= before + len(pairs) - 15
    assert close_wait(LOOK_AGAIN_S + 10.0) == close_wait(LOOK_AGAIN_S + 20.0)


def test_who_listens_is_told_with_every_tick() -> None:
    check = Check(Options())
    before = sockets("listen", check) or 0
    with contextlib.ExitStack() as opened:
        for _ in range(50):
            opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        assert (sockets("listen", check) or 0) >= before + 45


def test_a_refusal_of_the_kernel_is_an_error() -> None:
    message = (
        (36).to_bytes(4, "little") + b"\2\0" + bytes(10) + (-1).to_bytes(4, "little", signed=True) + bytes(16)
    )
    with pytest.raises(PermissionError):
        take(message, Counter())


def test_what_the_kernel_does_not_hold_any_more_is_counted_once() -> None:
    found = Counter({(5, 3): 30, (5, 0): 4, (8, 0): 6})
    states = in_states(found, current=106, waiting=530)
    assert {name: count for name, count in states.items() if count} == {
        "established": 100,
        "close_wait": 6,
        "fin_wait2": 34,
        "time_wait": 500,
    }


def test_counters_of_different_moments_do_not_go_below_nothing() -> None:
    states = in_states(Counter({(8, 0): 5, (5, 3): 9}), current=3, waiting=7)
    assert (states["established"], states["time_wait"]) == (0, 0)


@pytest.mark.parametrize(
    ("per_s", "pct"),
    [
        ({"sent": 1_000.0, "again": 25.0, "overflows": 0.0}, 2.5),
        ({"sent": 0.0, "again": 0.0, "overflows": 0.0}, None),
        ({"sent": 2.0, "again": 3.0, "overflows": 0.0}, 100),
    ],
)
def test_how_much_is_sent_again(per_s: dict[str, float], pct: float | None) -> None:
    samples = rates(per_s)
    assert samples.get("tcp_retransmits_pct") == pct
    assert samples["tcp_retransmits_per_s"] == per_s["again"]


def test_the_first_look_has_no_rates() -> None:
    assert not [name for name in Check(Options()).measure(0.0).samples if not name.startswith("tcp_sockets")]


def test_the_tables_of_the_kernel_are_read_by_their_words() -> None:
    assert fields(SNMP, "Tcp", "RetransSegs", "MaxConn", "Unheard") == [309, -1, 0]
    assert field_after(SOCKSTAT, "tw") == 7_345
