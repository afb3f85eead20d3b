"""The worker of the outbox: every notice that is owed leaves through its channel, and its end is written down.

A notice is marked as on its way, on disk, before it is sent, and its end is recorded after. So it is sent at least
once, and a second time only when we died in between or the far side never answered; the message says so then. Each
channel has a task of its own: one that hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry

from collector.health import Component
from collector.messages import Channel, ChannelState, Failed, Message, Sent
from collector.notifier.metrics import Metrics
from collector.notifier.teller import HAND_MAX, PAUSE_S_MAX, PAUSE_S_MIN, Desk, Retry, Teller, rung
from collector.store import Notices
from rules.model import Notice

__all__ = ["Notifier", "Retry"]

log = logging.getLogger(__name__)

RECALLED_MAX = 200
LOOK_AGAIN_S = 1.0
LOOK_AT_LEAST_EVERY_S = 60.0
"""A clock that was set moves what is due, and rings no bell."""
COUNT_EVERY_S = 5.0


class Notifier:
    """`message` dresses a notice for its way, told whether it may be a repeat.
    `chance` gives numbers from 0 to 1. `stop` closes the channels."""

    def __init__(
        self,
        notices: Notices,
        channels: Mapping[str, Channel],
        *,
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
        message: Callable[[Notice, bool], Message],
        retry: Retry | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._notices, self._now_ms = notices, now_ms
        self._metrics = Metrics(registry)
        self._metrics.oldest.set_function(self.oldest_s)
        desk = Desk(notices, now_ms, message, retry or Retry(), chance, self._metrics, self._done)
        self._tellers = {name: Teller(name, channel, desk) for name, channel in channels.items()}
        self._news, self._changed = asyncio.Event(), asyncio.Event()
        self._trouble: dict[str, str] = {}
        self._own_tasks: list[asyncio.Task[None]] = []
        self._teller_tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """What was on its way when we last ended is sent again, and says so. StoreError when the store fails."""
        interrupted = await self._notices.interrupted()
        if interrupted:
            log.warning(
                "%d notices were on their way when the collector ended; they are sent again", interrupted
            )
        for row in reversed(await self._notices.recent(RECALLED_MAX)):
            if row.notice.channel in self._tellers:
                self._tellers[row.notice.channel].recall(row)
        self._changed.set()
        self._own_tasks = [
            asyncio.create_task(self._for_ever("outbox", self._hand_out)),
            asyncio.create_task(self._for_ever("count", self._count)),
        ]
        self._teller_tasks = [
            asyncio.create_task(self._for_ever(f"channel {name}", teller.tell_one))
            for name, teller in self._tellers.items()
        ]

    def wake(self) -> None:
        """Something was committed, or the time may have come: look at once."""
        self._news.set()
        for teller in self._tellers.values():
            teller.bell.set()

    async def stop(self, drain_s: float) -> None:
        """What is being sent may finish within `drain_s`; what is left stays in the store for the next start."""
        await cancelled(self._own_tasks)
        for teller in self._tellers.values():
            teller.stop()
        if self._teller_tasks:
            await asyncio.wait(self._teller_tasks, timeout=drain_s)
        await cancelled(self._teller_tasks)
        for teller in self._tellers.values():
            await teller.close()

    def health(self) -> Component:
        gone = [task for task in (*self._own_tasks, *self._teller_tasks) if task.done()]
        if not self._own_tasks or gone:
            return Component("notifier", "bad", "the notifier does not run: no notice leaves")
        if self._trouble:
            return Component("notifier", "bad", "; ".join(self._trouble.values()))
        if not self._tellers:
            return Component("notifier", "degraded", "no channel is configured: nobody will be told")
        failing = [
            f"{name}{' is closed' if teller.closed else ''}: {teller.failure}"
            for name, teller in self._tellers.items()
            if teller.failure
        ]
        if failing:
            return Component("notifier", "degraded", "; ".join(failing))
        return Component("notifier", "ok", f"channels: {', '.join(self._tellers)}")

    async def channels_state(self) -> list[ChannelState]:
        """How each channel does, in the order of the configuration. StoreError when the store fails."""
        counts = await self._notices.counts()
        return [
            teller.state(counts.get((name, "waiting"), 0) + counts.get((name, "sending"), 0))
            for name, teller in self._tellers.items()
        ]

    async def test(self, name: str, message: Message) -> Sent | Failed:
        """Send what nobody is owed, to see whether a channel gets through: one try, past the outbox and its waiting.
        KeyError when there is no such channel."""
        return await self._tellers[name].send(lambda: message)

    async def _for_ever(self, name: str, step: Callable[[], Awaitable[bool]]) -> None:
        """Take `step` until it returns False. An error is told once, counted each time, and waited out."""
        pause_s, told = PAUSE_S_MIN, ""
        while True:
            try:
                if not await step():
                    return
                pause_s, told = PAUSE_S_MIN, ""
            except Exception as error:
                self._metrics.errors.labels(name).inc()
                trouble = f"{name}: {str(error) or type(error).__name__}"
                if trouble != told:
                    log.exception("The notifier's task %r met an error; it goes on", name)
                self._trouble[name] = told = trouble
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_S_MAX)
                del self._trouble[name]

    async def _hand_out(self) -> bool:
        """Give each channel what is due for it, then rest until there may be more."""
        self._news.clear()
        share = 2 * HAND_MAX
        for row in await self._notices.due(self._now_ms(), share * (len(self._tellers) + 1)):
            teller = self._tellers.get(row.notice.channel)
            if teller is None:
                await self._give_up_orphan(row.notice)
            else:
                teller.take(row)
        next_at = await self._notices.next_due_at()
        # What is due already is in a channel's hand, or behind what is in it: the bell rings when a hand is free.
        ahead_s = LOOK_AT_LEAST_EVERY_S if next_at is None else (next_at - self._now_ms()) / 1000
        await rung(self._news, min(ahead_s, LOOK_AT_LEAST_EVERY_S) if ahead_s > 0 else LOOK_AGAIN_S)
        return True

    async def _give_up_orphan(self, notice: Notice) -> None:
        answer = f"the channel {notice.channel!r} is no longer in the configuration, so this was not sent"
        await self._notices.failed(notice.id, self._now_ms(), answer)
        self._metrics.notices.labels(notice.channel, notice.reason, "failed").inc()
        log.error("Notice %s (%s): %s", notice.id, notice.title, answer)
        self._done()

    async def _count(self) -> bool:
        await self._changed.wait()
        self._changed.clear()
        for state in await self.channels_state():
            self._metrics.waiting.labels(state.name).set(state.waiting)
        await asyncio.sleep(COUNT_EVERY_S)
        return True

    def _done(self) -> None:
        self._news.set()
        self._changed.set()

    def oldest_s(self) -> float:
        """For how long the oldest notice that was tried, or is about to be, has been owed."""
        owed = [oldest for teller in self._tellers.values() if (oldest := teller.oldest_at()) is not None]
        return max(0, self._now_ms() - min(owed)) / 1000 if owed else 0.0


async def cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
