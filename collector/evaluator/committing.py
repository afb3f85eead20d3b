"""What was judged goes to the disk: in its order, in groups; where that fails, the judge begins anew.

What the judge remembers runs ahead of the disk by what is queued here. So when a group cannot be kept, all that was
judged upon it is put off, and the judge reads its memory again from the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from collector.store import Store, StoreError
from rules.model import Outcome

log = logging.getLogger(__name__)

QUEUE_MAX = 5_000
"""Nothing more is judged while so much waits here."""
GROUP_MAX = 500
COMMITS_APART_S = 0.01
"""What is queued sooner after the last commit began shares the next: agents do not mind, and the disk does."""
REREAD_S = (0.2, 5.0)
"""How soon a store that failed is asked again, and how seldom at most while it goes on failing."""

Queued = Outcome | asyncio.Future[None]
"""What is to be committed, or somebody who waits for all that was queued before."""


class Judge(Protocol):
    """Whose memory runs ahead of the disk."""

    def distrust(self, trouble: str, /) -> None:
        """Judge nothing more: something that was judged is not kept, or the store cannot be read, and why."""
        ...

    async def read_again(self) -> None:
        """Begin anew with what the store holds. StoreError when it cannot be read now."""
        ...


class Committing:
    """Commits what is put here, in its order, and tells `on_commit` of each group that is on disk."""

    def __init__(
        self,
        store: Store,
        judge: Judge,
        *,
        on_commit: Callable[[Sequence[Outcome]], None],
        registry: CollectorRegistry,
    ) -> None:
        self._store, self._judge = store, judge
        self._on_commit = on_commit
        self._queue: deque[Queued] = deque()
        self._queued = asyncio.Event()
        self._reread_s, self._said = REREAD_S[0], ""
        self._writer: asyncio.Task[None] | None = None
        self._metrics = _Metrics(registry, lambda: len(self._queue))

    def __len__(self) -> int:
        """What waits to be committed, and who waits for it."""
        return len(self._queue)

    def start(self) -> None:
        self._writer = asyncio.create_task(self._write_forever(), name="evaluator-writer")

    async def drain(self) -> bool:
        """Commit what is queued, as far as the store takes it. False when this never began."""
        if self._writer is None:
            return False
        with contextlib.suppress(StoreError):
            await self.done()
        return True

    async def stop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def put(self, entry: Queued) -> None:
        if not self._queue:
            self._queued.set()
        self._queue.append(entry)

    def done(self) -> Awaitable[None]:
        """To be awaited until all that is queued now is on disk. StoreError when some of it is not, and will not be."""
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(committed)
        return committed

    # --- a group after the other ---

    async def _write_forever(self) -> None:
        loop = asyncio.get_running_loop()
        not_before_s = 0.0
        while True:
            await self._queued.wait()
            if (early_s := not_before_s - loop.time()) > 0:
                await asyncio.sleep(early_s)
            not_before_s = loop.time() + COMMITS_APART_S
            group = [self._queue.popleft() for _ in range(min(len(self._queue), GROUP_MAX))]
            if not self._queue:
                self._queued.clear()
            try:
                await self._commit(group)
            except Exception as error:  # noqa: BLE001 - whatever it is, the writer must go on
                await self._after_failure(group, error)

    async def _commit(self, group: list[Queued]) -> None:
        outcomes = [entry for entry in group if isinstance(entry, Outcome) and not entry.empty]
        if outcomes:
            with self._metrics.commit_seconds.time():
                await self._store.commit(outcomes)
            self._metrics.committed.inc(len(outcomes))
            self._be_well()
        _settle(group, None)
        if outcomes:
            self._tell(outcomes)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        """They are on disk whatever a listener does, so a listener's fault stays its own."""
        try:
            self._on_commit(outcomes)
        except Exception:
            log.exception("Telling of a commit failed; the commit itself stands.")
            self._metrics.errors.inc()

    # --- a store that fails ---

    async def _after_failure(self, group: list[Queued], error: Exception) -> None:
        """A group that contradicts what is stored is tried one by one: a bad batch shall hold up none before it."""
        if not isinstance(error, StoreError) or error.passing:
            await self._recover(group, error)
            return
        for place, entry in enumerate(group):
            try:
                await self._commit([entry])
            except Exception as again:  # noqa: BLE001 - whatever it is, the writer must go on
                await self._recover(group[place:], again)
                return

    async def _recover(self, group: Sequence[Queued], error: Exception) -> None:
        """Put off all that was judged, and have the judge read its memory anew.

        That it can be read does not say that it can be written: until a commit succeeds, each failure makes the pause
        before the next reading longer.
        """
        self._be_ill(error)
        trouble = StoreError(f"not stored: {error}")
        _settle(group, trouble)
        is_read = False
        while not is_read:
            await asyncio.sleep(self._reread_s)
            self._reread_s = min(self._reread_s * 2, REREAD_S[1])
            _settle(list(self._queue), trouble)
            self._queue.clear()
            try:
                await self._judge.read_again()
                is_read = True
            except Exception as again:  # noqa: BLE001 - whatever it is, the writer must go on
                self._be_ill(again)

    def _be_ill(self, error: Exception) -> None:
        """A failure is counted each time, and logged when its words are new."""
        self._metrics.errors.inc()
        trouble = str(error)
        self._judge.distrust(trouble)
        if self._said != trouble:
            self._said = trouble
            unforeseen = None if isinstance(error, StoreError) else error
            log.error(
                "Batches cannot be stored, agents are told to send again: %s", error, exc_info=unforeseen
            )

    def _be_well(self) -> None:
        self._reread_s = REREAD_S[0]
        if self._said:
            self._said = ""
            log.warning("Batches are stored again; judging goes on.")


class _Metrics:
    def __init__(self, registry: CollectorRegistry, waiting: Callable[[], int]) -> None:
        self.committed = Counter(
            "watchkeeper_outcomes_committed", "Batches and ticks on disk", registry=registry
        )
        self.errors = Counter(
            "watchkeeper_commit_errors", "Commits that failed or were not told", registry=registry
        )
        self.commit_seconds = Histogram(
            "watchkeeper_commit_seconds",
            "Time from handing a group to the store until it is on disk",
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0),
            registry=registry,
        )
        Gauge("watchkeeper_judge_queue", "Outcomes waiting to be committed", registry=registry).set_function(
            waiting
        )


def _settle(group: Sequence[Queued], error: StoreError | None) -> None:
    for committed in group:
        if isinstance(committed, Outcome) or committed.done():
            continue
        if error is None:
            committed.set_result(None)
        else:
            committed.set_exception(error)
