"""The collector watches itself: how it does becomes series of a service `watchkeeper`, judged by rules like any other.

So a channel that is closed is an incident that the other channels tell of, and its end is told as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CollectorRegistry

from collector.messages import ChannelState
from collector.store import StoreHealth

SERVICE = "watchkeeper"
ERRORS = (
    "watchkeeper_job_errors",
    "watchkeeper_commit_errors",
    "watchkeeper_notifier_errors",
    "watchkeeper_health_errors",
)

Post = Callable[[Sequence[tuple[str, dict[str, str], float]]], Awaitable[None]]


class Selfwatch:
    """`post` takes metric, labels and value of each series."""

    def __init__(
        self,
        *,
        channels: Callable[[], Awaitable[list[ChannelState]]],
        store: Callable[[], Awaitable[StoreHealth]],
        oldest_s: Callable[[], float],
        post: Post,
        registry: CollectorRegistry,
    ) -> None:
        self._channels, self._store, self._oldest_s, self._post = channels, store, oldest_s, post
        self._registry = registry
        self._errors = 0.0

    async def tell(self) -> None:
        """Have how we do kept as samples; to be called at every tick. StoreError."""
        states, store = await self._channels(), await self._store()
        found: list[tuple[str, dict[str, str], float]] = []
        for state in states:
            label = {"channel": state.name}
            found.append(("channel_state", label, 2.0 if state.closed else 1.0 if state.failure else 0.0))
            found.append(("notices_waiting", label, float(state.waiting)))
        whole = store.size_bytes + store.free_bytes
        found += [
            ("notices_oldest_s", {}, self._oldest_s()),
            ("store_size_bytes", {}, float(store.size_bytes)),
            ("store_free_bytes", {}, float(store.free_bytes)),
            ("store_free_pct", {}, 100 * store.free_bytes / whole if whole else 0.0),
            ("collector_errors", {}, self._new_errors()),
        ]
        await self._post(found)

    def _new_errors(self) -> float:
        """How many errors were survived since the last time."""
        errors = sum(
            sample.value
            for metric in self._registry.collect()
            if metric.name in ERRORS
            for sample in metric.samples
            if sample.name.endswith("_total")
        )
        new, self._errors = errors - self._errors, errors
        return new
