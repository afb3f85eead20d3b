"""Rules that look at a long past: it is read and thought about beside the judge, who then says what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from collector.evaluator.committing import Committing
from collector.evaluator.faults import Faults
from collector.store import Samples, StoreError
from collector.store.pasts import pasts_of
from rules.judging.judge import Watch, apply
from rules.judging.slow import asked, due, foretell, judge_slow
from rules.model import Outcome


class Looking:
    """`watch` tells what is remembered, None while it is not to be trusted."""

    def __init__(
        self,
        samples: Samples,
        committing: Committing,
        faults: Faults,
        watch: Callable[[], Watch | None],
        now_ms: Callable[[], int],
    ) -> None:
        self._samples, self._committing, self._faults = samples, committing, faults
        self._watch, self._now_ms = watch, now_ms

    async def round(self) -> None:
        """Look at the hosts that are due. StoreError: the others have their turn the next time."""
        watch = self._watch()
        if watch is None:
            return
        for host in due(watch, self._now_ms()):
            await self._look(watch, host)

    async def _look(self, watch: Watch, host: int) -> None:
        latest = await self._samples.latest(host)
        if latest is None or host not in watch.hosts:
            return
        newest, now = latest.values, self._now_ms()
        try:
            wanted = asked(watch.hosts[host], newest)
            names = list(dict.fromkeys(name for _, name in wanted))
            pasts = await pasts_of(self._samples, host, names, now)
            forecasts = await asyncio.to_thread(foretell, wanted, pasts, now)
            if self._watch() is not watch or host not in watch.hosts:
                return
            outcome = judge_slow(watch, host, newest, forecasts, self._now_ms())
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a rule does, the others have their turn
            self._faults.note(f"the long past of {latest.host.name}", error, now)
            outcome = Outcome(looked=host, judged_at=now)
        apply(watch, outcome)
        if not outcome.empty:
            self._committing.put(outcome)
