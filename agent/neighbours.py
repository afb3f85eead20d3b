"""A look at another host that the collector hears no more: does it answer us, from where we stand?

The collector may have this asked of a few agents before it tells anybody that a host is down. It is no check, but is
bound by what binds a check of the collector's: the kinds that this host accepts, and where such a check may go.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence

from agent.checks import icmp
from agent.net.dial import Deadline, NoAnswer, Reach, resolve
from agent.net.reach import beyond_host, beyond_link
from agent.wire import Looked

log = logging.getLogger(__name__)

PORT = 22
"""A refusal is an answer, too: it takes a host that is up to refuse."""
TRY_S = 1.5
PINGS, GAP_S = 2, 0.3
AT_ONCE_MAX = 5
AGAIN_S = 20.0
"""What is asked again sooner was asked before our answer got there."""

Try = Callable[[str], bool]
"""Whether an address answers. NotAllowed: it cannot be tried in this way."""


class NotAllowed(Exception):
    """It cannot be tried in this way. The text is a sentence for a person."""


class Neighbours:
    """Looks when asked, beside the ticks, and hands over what came of it."""

    def __init__(
        self,
        deliver: Callable[[Looked], None],
        accept: Sequence[str],
        *,
        accept_loopback: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deliver, self._monotonic = deliver, monotonic
        self._asked_s: dict[int, float] = {}
        self._looking = threading.Semaphore(AT_ONCE_MAX)
        self.trust(accept, accept_loopback=accept_loopback)

    def trust(self, accept: Sequence[str], *, accept_loopback: bool) -> None:
        """From now on these kinds of checks are accepted of the collector."""
        self._accept, self._reach = tuple(accept), beyond_link if accept_loopback else beyond_host

    def look(self, about: int, address: str) -> None:
        """Begin to, unless that was done a moment ago or enough goes on already: it will be asked again."""
        now_s = self._monotonic()
        self._asked_s = {key: at_s for key, at_s in self._asked_s.items() if now_s - at_s < AGAIN_S}
        if about in self._asked_s or not self._looking.acquire(blocking=False):
            return
        self._asked_s[about] = now_s
        threading.Thread(target=self._look, args=(about, address), name="neighbour", daemon=True).start()

    def _look(self, about: int, address: str) -> None:
        try:
            self._deliver(look(about, address, ways(self._accept), self._reach))
        except Exception:
            log.exception("a fault in the agent; it cannot say whether it reaches %s", address[:64])
        finally:
            self._looking.release()


def look(about: int, address: str, ways: Sequence[Try], reach: Reach) -> Looked:
    """Try one way after the other until one is answered; None where nothing could be tried."""
    why = why_not(address, reach)
    if why:
        return Looked(about, None, why)
    why, tried = "this agent accepts neither icmp nor tcp of the collector", False
    for way in ways:
        try:
            if way(address):
                return Looked(about, True)
            tried = True
        except NotAllowed as not_allowed:
            why = str(not_allowed)
    return Looked(about, False) if tried else Looked(about, None, why)


def why_not(address: str, reach: Reach) -> str:
    """Why we may not look there: it is no address, our own, or none where the collector's checks may go."""
    try:
        plain = ipaddress.ip_address(address)
    except ValueError:
        return "that is no address"
    if why := reach(address):
        return f"{address} {why}"
    with socket.socket(socket.AF_INET if plain.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return ""  # only what is our own can be bound to
    return f"{address} is an address of this host, too"


def ways(accept: Sequence[str]) -> list[Try]:
    known: dict[str, Try] = {"icmp": ping, "tcp": knock}
    return [way for kind, way in known.items() if kind in accept]


def ping(address: str) -> bool:
    deadline = Deadline(TRY_S)
    try:
        target = resolve(address, 0, deadline)[0]
        sock = icmp.ping_socket(target)
    except icmp.NotAllowed as why:
        raise NotAllowed(str(why)) from None
    except NoAnswer:
        return False
    with sock:
        pings = icmp.Pings(sock, target, PINGS, GAP_S)
        pings.run(deadline)
    return bool(pings.rtts_ms)


def knock(address: str, port: int = PORT) -> bool:
    try:
        with socket.create_connection((address, port), TRY_S):
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
