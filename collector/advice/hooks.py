"""Running hooks: one at a time for each service, not too often by themselves, and each noted before and after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from collector.advice import program, webhook
from collector.advice.orders import Order, Ran, direction
from collector.config.scaling import HookOptions
from collector.posting import origin
from collector.store import StoreError
from collector.store.advice import Advice, HookRun
from collector.who import Refusal
from rules.scaling.model import Recommendation

log = logging.getLogger(__name__)

AUTO = "auto"
HOUR_MS = 3_600_000
RUNS_LOOKED_AT = 1_000


class Hooks:
    def __init__(self, advice: Advice, now_ms: Callable[[], int]) -> None:
        self._advice, self._now_ms = advice, now_ms
        self._at_work: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, service: str, options: HookOptions | None, said: Recommendation) -> None:
        """Do what is recommended, beside the round, unless it is too soon or too often."""
        if options is None or service in self._at_work:
            return
        task = asyncio.create_task(self._by_itself(service, options, said), name=f"hook: {service}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(
        self,
        service: str,
        options: HookOptions | None,
        current: int,
        wanted: int,
        reason: str,
        by: str,
        *,
        dry_run: bool = False,
    ) -> HookRun:
        """Run it now and wait for its end. Refusal; StoreError before anything was run, or when its end is not kept."""
        if options is None:
            raise Refusal(409, "no_hook", f"{service} has no hook, so there is nothing that could be run")
        if service in self._at_work:
            raise Refusal(409, "under_way", f"a hook of {service} is being run; wait for its end")
        self._at_work.add(service)
        try:
            return await self._noted(
                service, options, current, wanted, reason, by, dry_run or options.dry_run
            )
        finally:
            self._at_work.discard(service)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _by_itself(self, service: str, options: HookOptions, said: Recommendation) -> None:
        try:
            if not await self._may(service, options):
                return
            run = await self.run(service, options, said.current, said.wanted, said.reason, AUTO)
        except (Refusal, StoreError) as trouble:
            log.error("The hook of %s was not run: %s", service, trouble)  # noqa: TRY400 - theirs, no trace of ours
            return
        if run.state != "done":
            log.error("The hook of %s, %d to %d: %s", service, run.before, run.wanted, run.answer)

    async def _may(self, service: str, options: HookOptions) -> bool:
        """Whether one may be run by itself. What the store knows counts, so that a restart forgives nothing; what began
        after now did so before our clock was set back, and does not."""
        now = self._now_ms()
        runs = [run for run in await self._advice.runs(service, RUNS_LOOKED_AT) if run.began_at <= now]
        if runs and now - runs[0].began_at < options.cooldown_s * 1000:
            return False
        of_late = sum(run.by == AUTO and run.began_at > now - HOUR_MS for run in runs)
        return of_late < options.per_hour_max

    async def _noted(
        self,
        service: str,
        options: HookOptions,
        current: int,
        wanted: int,
        reason: str,
        by: str,
        dry_run: bool,
    ) -> HookRun:
        began = self._now_ms()
        run = await self._advice.begin_run(HookRun(0, service, began, by, current, wanted, dry_run))
        order = Order(run.id, service, current, wanted, direction(current, wanted), reason, by, began)
        ran = _what_would_be(options, order) if dry_run else await _carry_out(options, order)
        ended = self._now_ms()
        await self._advice.end_run(run.id, ran.state, ran.answer, ended)
        return HookRun(run.id, service, began, by, current, wanted, dry_run, ran.state, ran.answer, ended)


async def _carry_out(options: HookOptions, order: Order) -> Ran:
    if options.url is not None and options.secret is not None:
        return await webhook.post(options.url, options.secret, options.timeout_s, order)
    return await program.run(options.command, options.timeout_s, order)


def _what_would_be(options: HookOptions, order: Order) -> Ran:
    if options.url is not None:
        where = origin(options.url.reveal())
        return Ran("done", f"dry run: would post to {where}: {webhook.body_of(order).decode()}")
    return Ran("done", f"dry run: would run {' '.join(program.arguments(options.command, order))}")
