"""Many hosts pushing at one server over connections of their own, from a process of their own.

`press` starts that process and tells what came of it. The process waits for each answer before the host's next
request, as agents do, and reads the server's CPU time at the first and the last moment of what it measures.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Literal, cast

import msgspec
import uvloop
from msgspec import Struct

from tests.bench.process import cpu_s
from tests.bench.pushes import Host, PushingHost, Tails
from tests.bench.reads import ReadingHost
from tests.bench.remote_write import Tick, WritingHost
from tests.bench.table import quantile
from tests.bench.trace import ticks
from tests.system.harness import ROOT, environ

WARM_UP_PUSHES, WARM_UP_AT_ONCE = 3, 1_000
PATIENCE_S = 60.0
STRIDE = 7_919
"""From one host that breaches to the next: a prime, so that none is chosen twice. Neighbours would do it at once."""


class Order(Struct, frozen=True):
    """What to do: one host for each token, all of them together `per_s` pushes, or without it as many as are taken.

    `breaches`: so many hosts break BREACH_RULE once, spread over the time. `first` is the number of the first host.
    `unlike`: each host has a series that no other has.
    """

    port: int
    pid: int
    tokens: list[str]
    seconds: float
    per_s: float | None = None
    breaches: int = 0
    first: int = 0
    unlike: bool = False
    speaks: Literal["watchkeeper", "remote write", "reads"] = "watchkeeper"


class Pressed(Struct, frozen=True):
    """What came of it, between the first and the last moment. `cpu_s` is the server's, `own_cpu_s` the client's."""

    pushes: int
    seconds: float
    cpu_s: float
    own_cpu_s: float
    p50_ms: float
    p99_ms: float
    faults: list[str]

    @property
    def cpu_us_per_push(self) -> float:
        return self.cpu_s / self.pushes * 1e6

    @property
    def per_s(self) -> float:
        return self.pushes / self.seconds


def press(order: Order) -> Pressed:
    """Have a process do it. AssertionError when a request was not taken: then there is nothing worth measuring."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.client"],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environ(),
        timeout=order.seconds + PATIENCE_S,
        check=True,
    )
    pressed = msgspec.json.decode(done.stdout, type=Pressed)
    assert not pressed.faults, f"{len(pressed.faults)} requests were not taken, such as: {pressed.faults[0]}"
    assert pressed.pushes, "nothing was answered in time"
    return pressed


# --- in the process ---------------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One host's connection: one request under way at most. `answered` is called after each answer."""

    def __init__(self, host: Host) -> None:
        self.answered: Callable[[Connection], None] = _nothing
        self.waiting = False
        self.sent_s = self.took_s = 0.0
        self.breach = False
        self.fault = ""
        self._host = host
        self._transport: asyncio.WriteTransport | None = None
        self._got = b""
        self._at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by name

    def send(self) -> None:
        assert self._transport is not None
        breach, self.breach = self.breach, False
        self.waiting, self.fault = True, ""
        self.sent_s = time.perf_counter()
        # No two batches of one host are of one moment.
        self._at = max(self._at + 1, time.time_ns() // 1_000_000)
        if self._transport.is_closing():
            self.connection_lost(None)
        else:
            self._transport.write(self._host.request(self._at, breach=breach))

    def data_received(self, data: bytes) -> None:
        self._got += data
        if is_whole(self._got):
            status, got, self._got = self._got[9:12], self._got, b""
            if status not in (b"200", b"204") or b'"refused"' in got:
                self.fault = got[:300].decode(errors="replace")
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting:
            self.fault = f"the connection was closed instead of an answer: {exc or 'no reason given'}"
            self._answered()

    def _answered(self) -> None:
        self.waiting = False
        self.took_s = time.perf_counter() - self.sent_s
        self.answered(self)

    def close(self) -> None:
        assert self._transport is not None
        self.waiting = False
        self._transport.abort()


def _nothing(_connection: Connection) -> None:
    pass


def is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, there, length = head.lower().partition(b"content-length:")
    return not there or len(body) >= int(length.partition(b"\r\n")[0])


def hosts(order: Order) -> Iterator[Host]:
    if order.speaks == "watchkeeper":
        tails = Tails()
        for own, token in enumerate(order.tokens):
            yield PushingHost(order.first + own, token, tails, own=own if order.unlike else None)
    elif order.speaks == "reads":
        for number, token in enumerate(order.tokens):
            yield ReadingHost(number, token)
    else:
        written = [Tick.of(tick) for tick in ticks()]
        for number in range(order.first, order.first + len(order.tokens)):
            yield WritingHost(number, written)


class Client:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._took_s: list[float] = []
        self._faults: list[str] = []
        self._ended = False

    async def run(self) -> Pressed:
        loop = asyncio.get_running_loop()
        connections: list[Connection] = []
        for host in hosts(self._order):
            connection = Connection(host)
            await loop.create_connection(lambda made=connection: made, "127.0.0.1", self._order.port)  # type: ignore[misc]
            connections.append(connection)
        await self._warm_up(connections)
        began_s, own_cpu_s, server_cpu_s = time.perf_counter(), time.process_time(), cpu_s(self._order.pid)
        self._start(connections)
        await asyncio.sleep(self._order.seconds)
        self._ended = True
        server_cpu_s = cpu_s(self._order.pid) - server_cpu_s
        seconds, own_cpu_s = time.perf_counter() - began_s, time.process_time() - own_cpu_s
        for connection in connections:
            connection.close()
        took_ms = [took_s * 1000 for took_s in self._took_s] or [0.0]
        pushes = len(self._took_s)
        p50_ms, p99_ms = quantile(took_ms, 0.5), quantile(took_ms, 0.99)
        return Pressed(pushes, seconds, server_cpu_s, own_cpu_s, p50_ms, p99_ms, self._faults)

    async def _warm_up(self, connections: list[Connection]) -> None:
        """A host's first push costs more than all the others; a fleet is known, mostly. Readers come as they come."""
        for connection in connections:
            connection.answered = self._note_fault
        if self._order.speaks == "reads":
            return
        for _ in range(WARM_UP_PUSHES):
            for first in range(0, len(connections), WARM_UP_AT_ONCE):
                some = connections[first : first + WARM_UP_AT_ONCE]
                for connection in some:
                    connection.send()
                while any(connection.waiting for connection in some):
                    await asyncio.sleep(0.005)

    def _note_fault(self, connection: Connection) -> None:
        if connection.fault:
            self._faults.append(connection.fault)

    # --- what is measured ---

    def _start(self, connections: list[Connection]) -> None:
        loop, order = asyncio.get_running_loop(), self._order
        for connection in connections:
            connection.answered = self._answered
        for number in range(order.breaches):
            at_s = (number + 0.5) / order.breaches * order.seconds
            chosen = connections[number * STRIDE % len(connections)]
            loop.call_later(at_s, setattr, chosen, "breach", True)
        if order.per_s is None:
            for connection in connections:
                connection.send()
            return
        every_s = len(connections) / order.per_s
        begin_s = loop.time()
        for number, connection in enumerate(connections):
            loop.call_at(
                begin_s + number / order.per_s,
                self._tick,
                connection,
                begin_s + number / order.per_s,
                every_s,
            )

    def _tick(self, connection: Connection, due_s: float, every_s: float) -> None:
        """Send now and again every so often; a host whose last answer is late leaves a turn out, as an agent would."""
        if self._ended:
            return
        if not connection.waiting:
            connection.send()
        due_s += every_s
        asyncio.get_running_loop().call_at(due_s, self._tick, connection, due_s, every_s)

    def _answered(self, connection: Connection) -> None:
        if self._ended:
            return
        self._note_fault(connection)
        self._took_s.append(connection.took_s)
        if self._order.per_s is None and not connection.fault:
            connection.send()


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(Client(order).run())))


if __name__ == "__main__":
    main()
