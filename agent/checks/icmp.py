"""Does a host answer pings, how many of them, and how fast?

Without any privilege: by the kernel's ping sockets, which are for the groups that net.ipv4.ping_group_range allows.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from typing import Annotated

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured
from agent.net.dial import Address, Deadline, NoAnswer, Reach, anywhere, resolve
from agent.wire import series_name

IP_RECVERR, IPV6_RECVERR = 11, 25
"""Then the kernel tells what routers on the way say. Python has no names for them."""
HEADER = struct.Struct("!BBHHH")
TOKEN_BYTES = 16
PADDING = bytes(40)
"""As much in all as the command ping sends."""
RIGHTS = (
    'sysctl net.ipv4.ping_group_range="0 2147483647" (and a line of it in /etc/sysctl.d, so that it stays)'
)
SERIES = {
    "icmp_loss_pct": "How many of the pings were not answered.",
    "icmp_rtt_min_ms": "How long the fastest answer to a ping took.",
    "icmp_rtt_avg_ms": "How long an answer to a ping took on average.",
    "icmp_rtt_max_ms": "How long the slowest answer to a ping took.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    host: name or address
    count: how many pings are sent
    gap: how long after one ping the next is sent
    loss_pct_max: more loss than that is a warning; no answer at all is bad
    slow: answers that take longer on average are a warning
    """

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    count: Annotated[int, Meta(ge=1, le=100)] = 3
    gap_ms: Annotated[int, Meta(ge=10)] = 200
    loss_pct_max: Annotated[float, Meta(ge=0, le=100)] = 50.0
    slow_ms: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if (self.count - 1) * self.gap_ms >= self.timeout_s * 1000:
            raise ValueError("timeout must be longer than all gaps together, or the last ping is never sent")


class Check:
    def __init__(self, options: Options) -> None:
        self._options = options
        self.reach: Reach = anywhere
        label = {"check": options.id or "icmp"}
        self._loss_pct = series_name("icmp_loss_pct", label)
        self._rtts = [series_name(f"icmp_rtt_{which}_ms", label) for which in ("min", "avg", "max")]

    def measure(self, at_s: float) -> Measured:
        options = self._options
        deadline = Deadline(options.timeout_s)
        samples: dict[str, float | None] = dict.fromkeys([self._loss_pct, *self._rtts])
        try:
            address = resolve(options.host, 0, deadline, self.reach)[0]
            sock = ping_socket(address)
        except NotAllowed as error:
            return Measured(samples, "unknown", str(error))
        except NoAnswer as error:
            return Measured(samples, "bad", str(error))
        with sock:
            pings = Pings(sock, address, options.count, options.gap_ms / 1000)
            pings.run(deadline)
        samples[self._loss_pct] = loss_pct = 100 * (1 - len(pings.rtts_ms) / options.count)
        if not pings.rtts_ms:
            late = f"no answer from {shown(address, options.host)} within {deadline.limit_s:g} s"
            return Measured(samples, "bad", pings.trouble or late)
        average_ms = sum(pings.rtts_ms) / len(pings.rtts_ms)
        samples |= zip(self._rtts, (min(pings.rtts_ms), average_ms, max(pings.rtts_ms)), strict=True)
        if loss_pct > options.loss_pct_max:
            return Measured(samples, "warn", f"more than {options.loss_pct_max:g} % of the pings were lost")
        if options.slow_ms is not None and average_ms > options.slow_ms:
            return Measured(samples, "warn", f"slower than {options.slow_ms} ms")
        return Measured(samples)


class NotAllowed(Exception):
    """This user may send no pings. The text is a sentence for a person."""


class Family(Struct, frozen=True):
    """How pings are said in one of the two families of addresses."""

    protocol: int
    request: int
    reply: int
    errors: tuple[int, int]


FAMILIES = {
    socket.AF_INET: Family(socket.IPPROTO_ICMP, 8, 0, (socket.IPPROTO_IP, IP_RECVERR)),
    socket.AF_INET6: Family(socket.IPPROTO_ICMPV6, 128, 129, (socket.IPPROTO_IPV6, IPV6_RECVERR)),
}


def ping_socket(address: Address) -> socket.socket:
    """A socket for pings to one address. NotAllowed, or NoAnswer: there is no way there."""
    family = FAMILIES[socket.AddressFamily(address.family)]
    try:
        sock = socket.socket(address.family, socket.SOCK_DGRAM, family.protocol)
    except PermissionError:
        group = f"the kernel does not let group {os.getegid()} send pings"
        raise NotAllowed(f"{group}; sysctl net.ipv4.ping_group_range says which it lets") from None
    except OSError as error:
        raise NotAllowed(f"this kernel has no sockets for pings ({error.strerror})") from None
    try:
        sock.setblocking(False)
        sock.setsockopt(*family.errors, 1)
        sock.connect(address.sockaddr)
    except OSError as error:
        sock.close()
        raise NoAnswer(f"{address.sockaddr[0]}: {(error.strerror or str(error)).lower()}") from None
    return sock


class Pings:
    """So many pings to one address; afterwards, how long each answer took, and what was said instead of one."""

    def __init__(self, sock: socket.socket, address: Address, count: int, gap_s: float) -> None:
        self.rtts_ms: list[float] = []
        self.trouble = ""
        self._sock = sock
        self._address = address
        self._family = FAMILIES[socket.AddressFamily(address.family)]
        self._count = count
        self._gap_s = gap_s
        self._token = os.urandom(TOKEN_BYTES)
        self._sent = 0
        self._waiting: dict[int, float] = {}
        """When those were sent that have not been answered."""

    def run(self, deadline: Deadline) -> None:
        """Send and listen until all are answered, or the time is over."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        began_s = time.monotonic()
        while self._sent < self._count or self._waiting:
            if self._sent < self._count and time.monotonic() >= began_s + self._sent * self._gap_s:
                self._send()
            try:
                wait_s = deadline.left_s()
            except TimeoutError:
                return
            if self._sent < self._count:
                wait_s = min(wait_s, max(0.0, began_s + self._sent * self._gap_s - time.monotonic()))
            if poll.poll(wait_s * 1000):
                self._receive()

    def _send(self) -> None:
        self._receive()  # the kernel would tell what became of an earlier one instead of sending this one
        number = self._sent
        self._sent += 1
        self._waiting[number] = time.monotonic()
        head = HEADER.pack(self._family.request, 0, 0, 0, number)  # the kernel adds checksum and sender
        try:
            self._sock.send(head + self._token + PADDING)
        except OSError as error:
            self._failed(number, error)

    def _receive(self) -> None:
        """All that has come. What answers none of ours, or one for the second time, is let pass."""
        while True:
            try:
                data = self._sock.recv(2048)
            except BlockingIOError:
                return
            except OSError as error:
                self._failed(min(self._waiting, default=-1), error)
                return
            now_s = time.monotonic()
            if len(data) >= HEADER.size + TOKEN_BYTES and data[HEADER.size :].startswith(self._token):
                kind, _, _, _, number = HEADER.unpack_from(data)
                if kind == self._family.reply and number in self._waiting:
                    self.rtts_ms.append((now_s - self._waiting.pop(number)) * 1000)

    def _failed(self, number: int, error: OSError) -> None:
        """A router said why one could not be delivered, or we could not send it: there is no answer to wait for."""
        self.trouble = f"{self._address.sockaddr[0]}: {(error.strerror or str(error)).lower()}"
        self._waiting.pop(number, None)
        with contextlib.suppress(BlockingIOError):
            while True:  # or the kernel would go on saying that there is something to read
                self._sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)


def shown(address: Address, host: str) -> str:
    literal = str(address.sockaddr[0])
    return literal if literal == host else f"{host} ({literal})"
