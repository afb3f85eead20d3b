"""How many TCP sockets are in each state, and how much is sent again or turned away.

Established connections and those waiting out their end (time_wait), which may be a hundred thousand, are taken from
counters of the kernel. Those who listen it keeps apart. For the sockets in the other states it has to look through all
the places it has, which takes some milliseconds however few there are, so they are counted once a minute and told again
in between: many in close_wait are a program that does not close what it opened, many in syn_recv an attack or a server
that cannot keep up.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import Counters, read
from agent.wire import series_name

NET = Path("/proc/net")
STATES = {
    2: "syn_sent",
    3: "syn_recv",
    4: "fin_wait1",
    5: "fin_wait2",
    8: "close_wait",
    9: "last_ack",
    11: "closing",
}
"""The states whose sockets are counted one by one, by the kernel's numbers."""
LISTEN = 10
LOOK_AGAIN_S = 60.0
"""With the quarter million places of a middling server a look takes 4 ms, more than all other checks together."""
SOCKETS_MAX = 200_000
"""Beyond this the counting is given up: it would take too much of a tick."""
ANSWER_S_MAX = 1.0
SERIES = {
    "tcp_sockets": "How many TCP sockets are in each state, such as established, listen, close_wait and time_wait.",
    "tcp_retransmits_per_s": "How many TCP segments were sent again since nobody confirmed them.",
    "tcp_retransmits_pct": "How many of the TCP segments sent had been sent before: loss, or a peer that is gone.",
    "tcp_listen_overflows_per_s": "How many connections were turned away, as programs did not take them fast enough.",
}

# What is asked is in <linux/inet_diag.h> since Linux 2.6: both families in one look, which the newer form cannot do.
NETLINK_SOCK_DIAG = 4
TCPDIAG_GETSOCK, NLMSG_ERROR, NLMSG_DONE = 18, 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, sender
REQUEST = struct.Struct("=52xII")  # the states that are wanted, one bit each
SOCKET = struct.Struct("=BBB")  # family, state, timer
TIMER_TIME_WAIT = 3


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, net: Path = NET) -> None:
        self._snmp, self._netstat, self._sockstat = (
            str(net / name) for name in ("snmp", "netstat", "sockstat")
        )
        self._counters = Counters()
        self._found: Counter[tuple[int, int]] = Counter()
        self._looked_s = -math.inf

    def measure(self, at_s: float) -> Measured:
        current, sent, again = fields(read(self._snmp), "Tcp", "CurrEstab", "OutSegs", "RetransSegs")
        (overflows,) = fields(read(self._netstat), "TcpExt", "ListenOverflows")
        counted_now = {"sent": sent, "again": again, "overflows": overflows}
        samples = rates(self._counters.per_s(at_s, counted_now))
        try:
            listening = counted([LISTEN]).total()
            if at_s - self._looked_s >= LOOK_AGAIN_S:
                self._found, self._looked_s = counted(STATES), at_s
        except OSError as error:
            # Without it in the kernel, or where a container may not ask.
            return Measured(
                samples, detail=f"the kernel does not tell its TCP sockets ({error.strerror or error})"
            )
        waiting = field_after(read(self._sockstat), "tw")
        counts = in_states(self._found, current, waiting) | {"listen": listening}
        for state, count in counts.items():
            samples[series_name("tcp_sockets", {"state": state})] = count
        return Measured(samples)


def fields(text: str, name: str, *wanted: str) -> list[int]:
    """The numbers below some of the words in the two lines of /proc/net/snmp that begin with `name`; 0 where there is
    no such word."""
    words, numbers = (line.split() for line in text.splitlines() if line.startswith(f"{name}:"))
    return [int(numbers[words.index(word)]) if word in words else 0 for word in wanted]


def field_after(text: str, word: str) -> int:
    """The number after a word in the line of TCP in /proc/net/sockstat."""
    (line,) = (line.split() for line in text.splitlines() if line.startswith("TCP:"))
    return int(line[line.index(word) + 1])


def rates(per_s: dict[str, float]) -> dict[str, float | None]:
    """The series of what is counted per second. Where nothing was sent, nothing can have been sent again."""
    samples: dict[str, float | None] = {}
    if "again" in per_s:
        samples["tcp_retransmits_per_s"] = per_s["again"]
    if per_s.get("sent") and "again" in per_s:
        samples["tcp_retransmits_pct"] = min(100.0, 100 * per_s["again"] / per_s["sent"])
    if "overflows" in per_s:
        samples["tcp_listen_overflows_per_s"] = per_s["overflows"]
    return samples


def in_states(found: Counter[tuple[int, int]], current: int, waiting: int) -> dict[str, int]:
    """How many sockets are in each state: from those counted by (state, timer), and two counters of the kernel.

    `current` counts established and close_wait, `waiting` time_wait and what no program holds any more in fin_wait2.
    """
    counts = dict.fromkeys(STATES.values(), 0)
    for (state, _), count in found.items():
        counts[STATES[state]] += count
    left = sum(count for (_, timer), count in found.items() if timer == TIMER_TIME_WAIT)
    return counts | {
        "established": max(0, current - counts["close_wait"]),
        "time_wait": max(0, waiting - left),
    }


def counted(states: Iterable[int], sockets_max: int = SOCKETS_MAX) -> Counter[tuple[int, int]]:
    """How many sockets are in these states, by (state, timer). OSError if the kernel does not tell, or too many."""
    wanted = sum(1 << state for state in states)
    length = HEADER.size + REQUEST.size
    found: Counter[tuple[int, int]] = Counter()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(ANSWER_S_MAX)
        header = HEADER.pack(length, TCPDIAG_GETSOCK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        kernel.send(header + REQUEST.pack(wanted, 0))
        while found.total() <= sockets_max:
            if take(kernel.recv(64 * 1024), found):
                return found
    raise OSError(errno.E2BIG, f"more than {sockets_max} in states to be counted")


def take(messages: bytes, found: Counter[tuple[int, int]]) -> bool:
    """Count the sockets of some messages; True when the last has come. OSError if the kernel says so."""
    at = 0
    while at + HEADER.size <= len(messages):
        length, kind, *_ = HEADER.unpack_from(messages, at)
        if kind == NLMSG_DONE:
            return True
        if kind == NLMSG_ERROR:
            (code,) = struct.unpack_from("=i", messages, at + HEADER.size)
            raise OSError(-code, os.strerror(-code))
        _, state, timer = SOCKET.unpack_from(messages, at + HEADER.size)
        found[state, timer] += 1
        at += (length + 3) & ~3
    return False
