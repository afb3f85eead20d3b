"""Another host is looked at when the collector asks, within what this host lets a collector do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from agent import neighbours
from agent.neighbours import AT_ONCE_MAX, Neighbours, NotAllowed, knock, look, ping, why_not
from agent.net.dial import anywhere
from agent.net.reach import beyond_host, beyond_link
from agent.wire import Looked
from tests.agent.checks.far_host import can_be_made, in_a_network_of_ours
from tests.conftest import Needs

FAR = "198.51.100.7"
"""For documents: nobody's address, and nothing is sent there here."""


def yes(address: str) -> bool:
    return True


def no(address: str) -> bool:
    return False


def never(address: str) -> bool:
    raise NotAllowed("this user may send no pings")


@pytest.mark.parametrize(
    ("ways", "reached", "detail"),
    [
        pytest.param([yes], True, "", id="it answers"),
        pytest.param([no], False, "", id="it does not"),
        pytest.param([no, yes], True, "", id="a firewall may let pass one and not the other"),
        pytest.param([yes, never], True, "", id="one answer is enough"),
        pytest.param([never, no], False, "", id="one way that cannot be gone leaves the other"),
        pytest.param([never], None, "this user may send no pings", id="none can be gone"),
        pytest.param(
            [], None, "this agent accepts neither icmp nor tcp of the collector", id="none is accepted"
        ),
    ],
)
def test_what_is_made_of_the_answers(
    ways: list[Callable[[str], bool]], reached: bool | None, detail: str
) -> None:
    assert look(17, FAR, ways, anywhere) == Looked(17, reached, detail)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("example.org", "that is no address"),
        ("", "that is no address"),
        ("10.0.0.1:22", "that is no address"),
        ("169.254.169.254", "link-local or gives out a host's credentials"),
        ("fe80::1", "link-local"),
        ("100.100.100.200", "gives out a host's credentials"),
        ("127.0.0.1", "this host's own loopback"),
        ("::ffff:169.254.169.254", "link-local"),
    ],
)
def test_where_nobody_looks_for_a_collector(address: str, why: str) -> None:
    tried: list[str] = []

    def way(address: str) -> bool:
        tried.append(address)
        return True

    found = look(1, address, [way], beyond_host)
    assert found.reached is None
    assert why in found.detail
    assert tried == []


def test_its_own_address_says_nothing_about_another_host() -> None:
    assert why_not("127.0.0.1", beyond_link) == "127.0.0.1 is an address of this host, too"
    assert why_not(FAR, beyond_link) == ""


@pytest.mark.parametrize(
    ("accept", "ways"),
    [(["http", "dns"], []), (["tcp", "http"], [knock]), (["tcp", "icmp"], [ping, knock])],
)
def test_only_what_is_accepted_of_the_collector_is_done(accept: list[str], ways: list[object]) -> None:
    assert neighbours.ways(accept) == ways


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_is_open_is_an_answer_and_so_is_a_refusal() -> None:
    with listening() as port:
        assert knock("127.0.0.1", port)
    assert knock("127.0.0.1", port)


def test_pings(needs: Needs) -> None:
    needs("ip")
    needs.that(can_be_made(), "needs root and /dev/net/tun, for a network of its own")
    assert in_a_network_of_ours(lambda: ping("127.0.0.1"))


def test_all_pings_are_sent_while_there_is_time() -> None:
    assert neighbours.PINGS * neighbours.GAP_S < neighbours.TRY_S


class Desk:
    """Neighbours whose every look waits until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.go_on = threading.Event()
        self.said: list[Looked] = []
        self.came = threading.Semaphore(0)
        monkeypatch.setattr(neighbours, "look", self._look)
        self.neighbours = Neighbours(
            self._deliver, ["tcp"], accept_loopback=True, monotonic=lambda: self.now_s
        )

    def _look(self, about: int, *rest: object) -> Looked:
        assert self.go_on.wait(5)
        return Looked(about, True)

    def _deliver(self, looked: Looked) -> None:
        self.said.append(looked)
        self.came.release()

    def end(self, count: int) -> list[int]:
        self.go_on.set()
        for _ in range(count):
            assert self.came.acquire(timeout=5)
        return sorted(looked.about for looked in self.said)


def test_a_host_that_is_asked_about_twice_in_a_row_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    for now_s in (0.0, 10.0, 19.0):
        desk.now_s = now_s
        desk.neighbours.look(7, FAR)
    assert desk.end(1) == [7]
    desk.now_s = 21.0
    desk.neighbours.look(7, FAR)
    assert desk.end(1) == [7, 7]


def test_only_so_many_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    for about in range(AT_ONCE_MAX + 3):
        desk.neighbours.look(about, FAR)
    assert desk.end(AT_ONCE_MAX) == list(range(AT_ONCE_MAX))
