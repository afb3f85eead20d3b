"""A notifier over a real store, with real receivers, and a clock that stands until it is moved."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry

from agent.options import Secret
from collector.channels import Failed, Message, Sent
from collector.channels.webhook import Channel as Webhook
from collector.channels.webhook import Options
from collector.messages import Channel
from collector.notifier import Notifier, Retry
from collector.store import NoticeRow, Notices, Store
from rules.model import Notice
from tests.collector.owed import BEGAN, owed
from tests.receivers import HttpReceiver, Received
from tests.waiting import found

START = BEGAN + 60_000


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class RunningClock(Clock):
    def __call__(self) -> int:
        return time.time_ns() // 1_000_000


class House:
    """A notifier over a store, with a clock that stands until it is moved."""

    def __init__(
        self,
        notices: Notices,
        channels: dict[str, Channel],
        retry: Retry | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.registry = CollectorRegistry()
        self.notices = notices
        self.notifier = Notifier(
            notices,
            channels,
            now_ms=self.clock,
            registry=self.registry,
            message=lambda notice, again: Message(
                notice, f"https://wk.example.org/incidents/{notice.incident}", again
            ),
            retry=retry,
            chance=lambda: 0.0,
        )

    async def owe(self, store: Store, *notices: Notice) -> None:
        await store.commit([owed(*notices)])
        self.notifier.wake()

    def pass_time(self, seconds: float) -> None:
        self.clock.now += round(seconds * 1000)
        self.notifier.wake()

    async def rows(self) -> dict[str, NoticeRow]:
        return {row.notice.id: row for row in await self.notices.recent(1_000)}

    async def row(self, number: int, when: Callable[[NoticeRow], bool]) -> NoticeRow:
        """The notice's row, as soon as it is as asked for."""

        async def look() -> NoticeRow:
            return (await self.rows())[f"n-{number}"]

        return await found(look, when)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@contextlib.asynccontextmanager
async def house(
    notices: Notices, channels: dict[str, Channel], retry: Retry | None = None, clock: Clock | None = None
) -> AsyncIterator[House]:
    built = House(notices, channels, retry, clock)
    await built.notifier.start()
    try:
        yield built
    finally:
        await built.notifier.stop(drain_s=0.2)


def webhook(receiver: HttpReceiver, name: str = "ops", timeout_s: float = 5.0) -> Webhook:
    return Webhook(Options(name=name, url=Secret(f"{receiver.url}/{name}"), timeout_s=timeout_s))


def ids(taken: list[Received]) -> list[str]:
    return [received.headers["Idempotency-Key"] for received in taken]


def sent(row: NoticeRow) -> bool:
    return row.delivery == "sent"


def failed(row: NoticeRow) -> bool:
    return row.delivery == "failed"


def put_off(tries: int) -> Callable[[NoticeRow], bool]:
    return lambda row: row.tries == tries and row.delivery == "waiting"


class Scripted:
    """A channel that does what the test says: for errors that no receiver can cause."""

    def __init__(self, options: Any) -> None:
        self.act: Callable[[Message], Awaitable[Sent | Failed]] = options
        self.timeout_s = 0.1
        self.closed = False

    async def send(self, message: Message) -> Sent | Failed:
        return await self.act(message)

    async def close(self) -> None:
        self.closed = True
