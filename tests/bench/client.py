"""Many hosts pushing at one server over connections of their own, from a process of their own.

`press` starts that process and tells what came of it. The process waits for each answer before the host's next
request, as agents do, and reads the server's CPU time at the first and the last moment of what it measures.
"""

from __future__ import annotations

import asyncio
import resource
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
from tests.system.programs import ROOT, environ

WARM_UP_PUSHES, WARM_UP_AT_ONCE = 3, 1_000
WARM_UP_S, WARM_UP_S_A_HOST = 60.0, 0.02
"""So long a fleet may take at most until each host of it is known: so much, and so much more for each host."""
STAY_AWAY_S = 1.0
"""For whoever is put off and is not told until when."""
ANSWER_S_MAX = 5.0
"""What is not answered by then, while it is measured, is a fault."""
PATIENCE_S = 30.0
STRIDE = 7_919
"""From one host that breaches to the next: a prime, so that none is chosen twice. Neighbours would do it at once."""


class Order(Struct, frozen=True):
    """What to do: one host for each token, all of them together `per_s` pushes, or without it as many as are taken.

    `breaches`: so many hosts begin to break BREACH_RULE, spread over the time.
    `unlike`: each host has a series that no other has.
    """

    port: int
    pid: int
    tokens: list[str]
    seconds: float
    per_s: float | None = None
    breaches: int = 0
    unlike: bool = False
    speaks: Literal["watchkeeper", "remote write", "reads"] = "watchkeeper"


class Pressed(Struct, frozen=True):
    """What came of it, between the first and the last moment. `cpu_s` is the server's, `own_cpu_s` the client's.

    `put_off` of the pushes before that were told to come again later, and did. `fault` is the first of the `faults`.
    """

    pushes: int
    seconds: float
    cpu_s: float
    own_cpu_s: float
    p50_ms: float
    p99_ms: float
    put_off: int
    faults: int
    fault: str

    @property
    def cpu_us_per_push(self) -> float:
        return self.cpu_s / self.pushes * 1e6

    @property
    def per_s(self) -> float:
        return self.pushes / self.seconds


def press(order: Order) -> Pressed:
    """Have a process do it. AssertionError when a request was not taken: then there is nothing worth measuring.

    Before it measures, a host that is put off comes again as an agent would; while it measures, that is a fault.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.client"],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environ(),
        timeout=warm_up_s_max(order) + order.seconds + PATIENCE_S,
        check=True,
    )
    pressed = msgspec.json.decode(done.stdout, type=Pressed)
    assert not pressed.faults, f"{pressed.faults:,} requests were not taken, such as: {pressed.fault}"
    assert pressed.pushes, "nothing was answered in time"
    return pressed


def warm_up_s_max(order: Order) -> float:
    return WARM_UP_S + WARM_UP_S_A_HOST * len(order.tokens)


# --- in the process ---------------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One host's connection: one request under way at most. `answered` is called after each answer.

    Once `breach` is set, each request says so. `fault` says why the last one was not taken, and `stay_away_s` how long
    not to come again where it was put off.
    """

    def __init__(self, host: Host) -> None:
        self.answered: Callable[[Connection], None] = _nothing
        self.waiting = False
        self.sent_s = self.took_s = 0.0
        self.breach = False
        self.fault = ""
        self.stay_away_s: float | None = None
        self._host = host
        self._transport: asyncio.WriteTransport | None = None
        self._got = b""
        self._at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by name
        self._got = b""

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self) -> None:
        assert self._transport is not None
        self.waiting, self.fault, self.stay_away_s = True, "", None
        self.sent_s = time.perf_counter()
        # No two batches of one host are of one moment.
        self._at = max(self._at + 1, time.time_ns() // 1_000_000)
        if self._transport.is_closing():
            self.connection_lost(None)
        else:
            self._transport.write(self._host.request(self._at, breach=self.breach))

    def send_again(self) -> None:
        """What was put off."""
        self._host.again()
        self.send()

    def data_received(self, data: bytes) -> None:
        self._got += data
        if is_whole(self._got):
            status, got, self._got = self._got[9:12], self._got, b""
            if status not in (b"200", b"204") or b'"refused"' in got:
                self.fault = got[:300].decode(errors="replace")
            if status in (b"429", b"503"):
                self.stay_away_s = float(header(got, b"retry-after") or STAY_AWAY_S)
            if b"close" in got and header(got, b"connection") == b"close" and self._transport is not None:
                self._transport.abort()
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
        self.waiting = False
        if self._transport is not None:
            self._transport.abort()


def _nothing(_connection: Connection) -> None:
    pass


def is_whole(answer: bytes) -> bool:
    _, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and len(body) >= int(header(answer, b"content-length") or 0)


def header(answer: bytes, name: bytes) -> bytes:
    """Its value; empty when it is not there. `name` is in small letters."""
    head = answer.partition(b"\r\n\r\n")[0].lower()
    return head.partition(b"\r\n%b:" % name)[2].partition(b"\r\n")[0].strip()


def hosts(order: Order) -> Iterator[Host]:
    if order.speaks == "watchkeeper":
        tails = Tails()
        for own, token in enumerate(order.tokens):
            yield PushingHost(own, token, tails, own=own if order.unlike else None)
    elif order.speaks == "reads":
        for number, token in enumerate(order.tokens):
            yield ReadingHost(number, token)
    else:
        written = [Tick.of(tick) for tick in ticks()]
        for number in range(len(order.tokens)):
            yield WritingHost(number, written)


class Client:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._took_s: list[float] = []
        self._put_off = self._faults = 0
        self._fault = ""
        self._ended = False

    async def run(self) -> Pressed:
        connections = [Connection(host) for host in hosts(self._order)]
        try:
            if not await self._are_known(connections):
                return self._pressed(0.0, 0.0, 0.0)
            began_s, own_cpu_s = time.perf_counter(), time.process_time()
            server_cpu_s = cpu_s(self._order.pid)
            self._start(connections)
            await asyncio.sleep(self._order.seconds)
            self._ended = True
            server_cpu_s = cpu_s(self._order.pid) - server_cpu_s
            seconds, own_cpu_s = time.perf_counter() - began_s, time.process_time() - own_cpu_s
            self._note_those_that_hang(connections)
            return self._pressed(seconds, server_cpu_s, own_cpu_s)
        finally:
            for connection in connections:
                connection.close()

    def _pressed(self, seconds: float, server_cpu_s: float, own_cpu_s: float) -> Pressed:
        took_ms = [took_s * 1000 for took_s in self._took_s] or [0.0]
        return Pressed(
            pushes=len(self._took_s),
            seconds=seconds,
            cpu_s=server_cpu_s,
            own_cpu_s=own_cpu_s,
            p50_ms=quantile(took_ms, 0.5),
            p99_ms=quantile(took_ms, 0.99),
            put_off=self._put_off,
            faults=self._faults,
            fault=self._fault,
        )

    def _note(self, fault: str) -> None:
        self._fault = self._fault or fault
        self._faults += 1

    def _note_those_that_hang(self, connections: list[Connection]) -> None:
        now_s = time.perf_counter()
        for connection in connections:
            if connection.waiting and now_s - connection.sent_s > ANSWER_S_MAX:
                self._note(f"nothing was answered for {ANSWER_S_MAX:g} s")

    # --- before it is measured ---

    async def _are_known(self, connections: list[Connection]) -> bool:
        """Whether the server knows each of them, in the time that this may take."""
        limit_s = warm_up_s_max(self._order)
        try:
            async with asyncio.timeout(limit_s):
                await self._warm_up(connections)
        except TimeoutError:
            left = sum(one.waiting or one.stay_away_s is not None for one in connections)
            self._note(
                f"after {limit_s:g} s the first pushes of {left:,} of {len(connections):,} hosts were not taken"
            )
            return False
        return True

    async def _warm_up(self, connections: list[Connection]) -> None:
        """A host's first push costs more than all the others; a fleet is known, mostly. Readers come as they come."""
        if self._order.speaks == "reads":
            await self._connect(connections)
            return
        for _ in range(WARM_UP_PUSHES):
            for first in range(0, len(connections), WARM_UP_AT_ONCE):
                await self._push_once(connections[first : first + WARM_UP_AT_ONCE])

    async def _connect(self, connections: list[Connection]) -> None:
        """Those that are not: servers hang up on whoever has nothing to say for a while, and agents come again."""
        loop = asyncio.get_running_loop()
        for connection in connections:
            if not connection.is_open:
                await loop.create_connection(lambda made=connection: made, "127.0.0.1", self._order.port)  # type: ignore[misc]

    async def _push_once(self, connections: list[Connection]) -> None:
        """Each of them, until it is taken: who is put off comes again, no sooner than it was told."""
        await self._connect(connections)
        for connection in connections:
            connection.send()
        while put_off := await self._put_off_of(connections):
            self._put_off += len(put_off)
            await asyncio.sleep(max(connection.stay_away_s or 0.0 for connection in put_off))
            await self._connect(put_off)
            for connection in put_off:
                connection.send_again()
            connections = put_off

    async def _put_off_of(self, connections: list[Connection]) -> list[Connection]:
        """Those of them that are to come again, once all are answered."""
        while any(connection.waiting for connection in connections):
            await asyncio.sleep(0.005)
        for connection in connections:
            if connection.fault and connection.stay_away_s is None:
                self._note(connection.fault)
        return [connection for connection in connections if connection.stay_away_s is not None]

    # --- what is measured ---

    def _start(self, connections: list[Connection]) -> None:
        loop, order = asyncio.get_running_loop(), self._order
        for connection in connections:
            connection.answered = self._answered
        every_s = len(connections) / order.per_s if order.per_s else 0.0
        for number in range(order.breaches):
            at_s = (number + 0.5) / order.breaches * (order.seconds - every_s)  # each has a turn after that
            chosen = connections[number * STRIDE % len(connections)]
            loop.call_later(at_s, setattr, chosen, "breach", True)
        if order.per_s is None:
            for connection in connections:
                connection.send()
            return
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
        if connection.fault:
            self._note(connection.fault)
        elif connection.took_s > ANSWER_S_MAX:
            self._note(f"an answer took {connection.took_s:.1f} s")
        self._took_s.append(connection.took_s)
        if self._order.per_s is None and not connection.fault:
            connection.send()


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # each host has a connection
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(Client(order).run())))


if __name__ == "__main__":
    main()
