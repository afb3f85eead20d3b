"""One channel's share of the outbox: one notice after the other is sent, tried again, or given up, and written down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, TypeVar

from msgspec import Struct

from collector.messages import Channel, ChannelState, Failed, Message, Sent
from collector.notifier.metrics import Metrics
from collector.store import NoticeRow, Notices, StoreError
from rules.model import Notice, Reason

log = logging.getLogger(__name__)
T = TypeVar("T")

HAND_MAX = 8
"""Notices a channel's task has before it; the others stay in the store, where they cost no memory."""
OWED_MAX = 10_000
"""Notices whose age is kept in mind; beyond it the oldest of all may be older than /metrics says."""
OVERTAKEN = "it was over before this could be sent, so that it is over is all that is said"
OF_AN_END: tuple[Reason, ...] = ("resolved", "digest")
"""What is said even though more waits behind it."""
GRACE_S = 2.0
CLOSE_S_MAX = 5.0
PAUSE_S_MIN, PAUSE_S_MAX = 0.1, 5.0


class Retry(Struct, frozen=True):
    """How a failure is met: pauses that double, a long one where a person has to see to it, and an end to all
    patience."""

    pause_s_min: float = 5.0
    pause_s_max: float = 900.0
    asked_s_min: float = 1.0
    asked_s_max: float = 3_600.0
    closed_s: float = 3_600.0
    age_s_max: float = 86_400.0
    tries_min: int = 5
    tries_max: int = 250

    def pause_s(self, failed: Failed, tries: int, age_s: float, chance: float) -> float | None:
        """Seconds until the next try after the `tries`th has failed, None for never.

        What the far side asked for wins, within limits. `chance`, from 0 to 1, spreads those that failed together.
        Age alone ends nothing before `tries_min`: a collector that was away for a day still tells.
        """
        if failed.permanent or tries >= self.tries_max:
            return None
        if failed.closed:
            pause_s = self.closed_s
        elif failed.retry_after_s is not None:
            pause_s = min(max(failed.retry_after_s, self.asked_s_min), self.asked_s_max)
        else:
            pause_s = min(self.pause_s_min * 2 ** min(tries - 1, 32), self.pause_s_max) * (1 - chance / 4)
        too_old = age_s + pause_s > self.age_s_max and tries >= self.tries_min
        return None if too_old else pause_s


class Desk(Struct):
    """What all tellers work with. `done` tells the notifier that a hand is free again."""

    notices: Notices
    now_ms: Callable[[], int]
    message: Callable[[Notice, bool], Message]
    retry: Retry
    chance: Callable[[], float]
    metrics: Metrics
    done: Callable[[], None]


class Teller:
    """One channel's task: it sends one notice after the other and sees each to its end."""

    def __init__(self, name: str, channel: Channel, desk: Desk) -> None:
        self.bell = asyncio.Event()
        self.failure, self.closed = "", False
        self._name, self._channel, self._desk = name, channel, desk
        self._stopping = False
        self._hand: dict[str, NoticeRow] = {}
        self._owed: dict[str, int] = {}
        self._rest_until = 0
        self._sent_at: int | None = None
        self._failed_at: int | None = None
        desk.metrics.expect(name)

    def take(self, row: NoticeRow) -> None:
        """Take a notice that is due, unless it is in hand already or the hand is full."""
        if len(self._hand) < HAND_MAX and row.notice.id not in self._hand:
            self._hand[row.notice.id] = row
            if len(self._owed) < OWED_MAX:
                self._owed[row.notice.id] = row.notice.created_at
            self.bell.set()

    def recall(self, row: NoticeRow) -> None:
        """What the store still knows of earlier tries, given oldest first."""
        if row.delivery == "sent":
            self._sent_at = max(row.sent_at or 0, self._sent_at or 0)
        elif row.answer:
            self._failed_at = max(row.tried_at or 0, self._failed_at or 0) or None

    def stop(self) -> None:
        """No further notice is begun."""
        self._stopping = True
        self.bell.set()

    async def close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._channel.close()
        except Exception:
            self._count_error()
            log.exception("Channel %s could not be closed", self._name)

    def state(self, waiting: int) -> ChannelState:
        return ChannelState(self._name, waiting, self.failure, self.closed, self._sent_at, self._failed_at)

    def oldest_at(self) -> int | None:
        return min(self._owed.values(), default=None)

    async def tell_one(self) -> bool:
        """Send the next notice in hand, once there is one; False when it is time to stop."""
        row = await self._next()
        if row is None:
            return False
        notice = row.notice
        try:
            if notice.reason not in OF_AN_END and await self._desk.notices.is_over(notice.id):
                await self._leave_out(notice)
                return True
            marked, in_doubt = await self._persistently(
                lambda: self._desk.notices.sending(notice.id, self._desk.now_ms())
            )
            # A mark that seemed to fail may have been kept, and is then found by the next attempt: it is ours.
            if marked or in_doubt:
                await self._tell(row)
            else:
                self._owed.pop(notice.id, None)
        finally:
            self._hand.pop(notice.id, None)
            self._desk.done()
        return True

    async def _leave_out(self, notice: Notice) -> None:
        """Whoever could not be reached while it was so is told once that it was and is over, and not alarmed first."""
        desk, now = self._desk, self._desk.now_ms()
        await self._persistently(lambda: desk.notices.failed(notice.id, now, OVERTAKEN))
        desk.metrics.notices.labels(self._name, notice.reason, "overtaken").inc()
        self._owed.pop(notice.id, None)
        log.info("Channel %s: notice %s (%s): %s", self._name, notice.id, notice.title, OVERTAKEN)

    async def _next(self) -> NoticeRow | None:
        while not self._stopping:
            self.bell.clear()
            rest_s = (self._rest_until - self._desk.now_ms()) / 1000
            # A rest longer than any that can be asked for is one that a clock set back has made.
            if self._hand and not 0 < rest_s <= self._desk.retry.asked_s_max:
                return next(iter(self._hand.values()))
            await rung(self.bell, rest_s if self._hand else None)
        return None

    async def _tell(self, row: NoticeRow) -> None:
        notice, tries = row.notice, row.tries + 1
        outcome = await self._try(row)
        if isinstance(outcome, Sent):
            await self._end(notice, "sent", outcome.answer)
            return
        age_s = (self._desk.now_ms() - notice.created_at) / 1000
        pause_s = self._desk.retry.pause_s(outcome, tries, age_s, self._desk.chance())
        self._report(notice, outcome)
        if pause_s is None:
            given_up = "" if outcome.permanent else f"given up after {tries} tries; the last: "
            await self._end(notice, "failed", given_up + outcome.answer)
        else:
            await self._put_off(notice, outcome, round(pause_s * 1000))

    async def _try(self, row: NoticeRow) -> Sent | Failed:
        return await self.send(lambda: self._desk.message(row.notice, row.perhaps_again))

    async def send(self, make: Callable[[], Message]) -> Sent | Failed:
        """One try, whatever the channel does; nothing is written down of it."""
        limit_s = self._channel.timeout_s + GRACE_S
        try:
            message = make()
            async with asyncio.timeout(limit_s):
                return await self._channel.send(message)
        except TimeoutError:
            return Failed(f"no end within {limit_s:g} s; it may have got through", unsure=True)
        except Exception as error:  # noqa: BLE001 - whatever a channel does, the next notice is not to suffer
            self._count_error()
            # Where, but not what: the words of the error may hold the channel's secret.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("Channel %s raised %s:\n%s", self._name, type(error).__name__, where)  # noqa: TRY400
            return Failed(f"the channel met an error of its own ({type(error).__name__})", unsure=True)

    async def _end(self, notice: Notice, outcome: Literal["sent", "failed"], answer: str) -> None:
        desk, now = self._desk, self._desk.now_ms()
        desk.metrics.tries.labels(self._name, outcome).inc()
        record = desk.notices.sent if outcome == "sent" else desk.notices.failed
        await self._persistently(lambda: record(notice.id, now, answer))
        desk.metrics.notices.labels(self._name, notice.reason, outcome).inc()
        self._owed.pop(notice.id, None)
        if outcome == "failed":
            log.error(
                "Channel %s: notice %s (%s) was not sent: %s", self._name, notice.id, notice.title, answer
            )
            return
        desk.metrics.delay.labels(self._name).observe(max(0, now - notice.created_at) / 1000)
        self._sent_at = now
        if self.failure:
            log.info("Channel %s works again", self._name)
            self.failure, self.closed = "", False

    async def _put_off(self, notice: Notice, failed: Failed, pause_ms: int) -> None:
        desk, now = self._desk, self._desk.now_ms()
        desk.metrics.tries.labels(self._name, "put_off").inc()
        if failed.closed or failed.retry_after_s is not None:  # so for every notice, not for this one
            self._rest_until = now + pause_ms
        write = partial(
            desk.notices.put_off, notice.id, now, failed.answer, now + pause_ms, perhaps_again=failed.unsure
        )
        await self._persistently(write)

    def _report(self, notice: Notice, failed: Failed) -> None:
        """A failure is logged once until it changes its words: every try would fill the log of a bad night."""
        self._failed_at = self._desk.now_ms()
        if failed.answer != self.failure:
            log.warning("Channel %s does not take notice %s: %s", self._name, notice.id, failed.answer)
        if failed.closed and not self.closed:
            hours = self._desk.retry.closed_s / 3600
            log.error(
                "Channel %s is closed until somebody puts it right; it is tried again every %g h, "
                "and its notices wait meanwhile: %s",
                self._name,
                hours,
                failed.answer,
            )
        self.failure, self.closed = failed.answer, failed.closed

    async def _persistently(self, write: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Write until the store takes it, since what was sent must not be sent again; also say whether it failed at
        first. A StoreError that will not pass goes out: the notice then stays as it is until the next start."""
        pause_s, failed, before = PAUSE_S_MIN, False, self.failure
        while True:
            try:
                done = await write()
                self.failure = before
                return done, failed
            except StoreError as error:
                if not error.passing:
                    raise
                self._count_error()
                if not failed:
                    log.exception("Channel %s cannot write down what it does; it goes on trying", self._name)
                self.failure, failed = f"the store does not take what became of a notice: {error}", True
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_S_MAX)

    def _count_error(self) -> None:
        self._desk.metrics.errors.labels(f"channel {self._name}").inc()


async def rung(bell: asyncio.Event, timeout_s: float | None) -> None:
    """Wait for the bell, or for the time to be up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await bell.wait()
