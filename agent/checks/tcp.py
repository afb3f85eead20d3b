"""Does a TCP port take connections, and how fast?

The time is that of connecting alone, not of looking up the name.
"""

from __future__ import annotations

import time
from typing import Annotated

from msgspec import Meta

from agent.checks import CheckOptions, Measured
from agent.net.dial import Deadline, Line, NoAnswer, Reach, anywhere, beginning, connect, resolve
from agent.wire import series_name

BANNER_BYTES_MAX = 16 * 1024
SERIES = {
    "tcp_connect_ms": "How long a TCP port took to take a connection, the look-up of the name left out."
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    host: name or address
    port: its number
    expect: text that the other side must say by itself, such as SSH- or 220; when left out, connecting is enough
    """

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65_535)]
    expect: Annotated[str, Meta(max_length=1_000)] = ""


class Check:
    def __init__(self, options: Options) -> None:
        self._options = options
        self.reach: Reach = anywhere
        self._series = series_name("tcp_connect_ms", {"check": options.id or "tcp"})

    def measure(self, at_s: float) -> Measured:
        options = self._options
        deadline = Deadline(options.timeout_s)
        connect_ms = None
        try:
            addresses = resolve(options.host, options.port, deadline, self.reach)
            began_s = time.monotonic()
            with connect(addresses, deadline) as sock:
                connect_ms = (time.monotonic() - began_s) * 1000
                if options.expect:
                    hear(Line(sock, deadline), options.expect)
        except NoAnswer as error:
            return Measured({self._series: connect_ms}, "bad", str(error))
        return Measured({self._series: connect_ms})


def hear(line: Line, expected: str) -> None:
    """Listen until the expected text comes. NoAnswer: it did not."""
    heard, buffer, end = bytearray(), bytearray(4096), "before it closed the connection"
    try:
        while len(heard) < BANNER_BYTES_MAX and (count := line.recv_into(buffer)):
            heard += buffer[:count]
            if expected.encode() in heard:
                return
    except TimeoutError:
        end = f"within {line.deadline.limit_s:g} s"
    except OSError:
        end = "before it reset the connection"
    said = f'it said "{beginning(heard)}"' if heard else "it said nothing"
    raise NoAnswer(f'did not say "{expected}" {end}; {said}')
