"""All simulated hosts at work: each due once an interval, spread evenly, over a bounded number of connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from collector.cli.simulate.connection import Connection, NoAnswer
from collector.cli.simulate.pushes import Host
from collector.cli.simulate.tally import Tally

TURN_S_MIN = 0.002
"""Hosts that are due within so short a time get their turn together."""


class Fleet:
    """`total` counts from the beginning, `lately` since it was last asked for."""

    def __init__(
        self,
        hosts: Sequence[Host],
        connections: Sequence[Connection],
        every_s: float,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self.total, self._lately = Tally(), Tally()
        self._hosts, self._connections, self._every_s = hosts, connections, every_s
        self._now_ms = now_ms
        self._due: asyncio.Queue[Host] = asyncio.Queue(len(hosts))

    def lately(self) -> Tally:
        lately, self._lately = self._lately, Tally()
        return lately

    async def work(self) -> None:
        """Push until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_time())
                for connection in self._connections:
                    tasks.create_task(self._push_through(connection))
        finally:
            for connection in self._connections:
                connection.close()

    async def _keep_time(self) -> None:
        apart_s = self._every_s / len(self._hosts)
        began_s, turn = time.monotonic(), 0
        while True:
            turns_by_now = int((time.monotonic() - began_s) / apart_s) + 1
            turn = max(
                turn, turns_by_now - len(self._hosts)
            )  # after a pause nobody makes good for what was missed
            while turn < turns_by_now:
                self._be_due(self._hosts[turn % len(self._hosts)])
                turn += 1
            await asyncio.sleep(max(TURN_S_MIN, began_s + turn * apart_s - time.monotonic()))

    def _be_due(self, host: Host) -> None:
        if host.busy:
            self.total.left_out += 1
            self._lately.left_out += 1
        else:
            host.busy = True
            self._due.put_nowait(host)

    async def _push_through(self, connection: Connection) -> None:
        while True:
            host = await self._due.get()
            await self._push(host, connection)
            host.busy = False

    async def _push(self, host: Host, connection: Connection) -> None:
        begun_s = time.perf_counter()
        try:
            answer = await connection.ask(host.request(self._now_ms()))
        except NoAnswer as why:
            self.total.unanswered(str(why))
            self._lately.unanswered(str(why))
            return
        took_ms = (time.perf_counter() - begun_s) * 1000
        self.total.answered(answer, took_ms)
        self._lately.answered(answer, took_ms)
