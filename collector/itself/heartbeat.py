"""A sign of life to somebody else: as long as it comes, the collector judges and keeps what agents send.

It is left out while something essential is not well, so that whoever waits for it tells people what we cannot.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CollectorRegistry, Counter

from agent.options import Secret
from collector.health import Component
from collector.posting import NoAnswer, Poster

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0

Ask = Callable[[], Awaitable[Component]]


class Heartbeat:
    """`needed` are the parts that have to be well: none of them bad."""

    def __init__(
        self, url: Secret, needed: Sequence[Ask], registry: CollectorRegistry, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._url, self._needed, self._timeout_s = url, tuple(needed), timeout_s
        self._trouble = ""
        self._beats = Counter(
            "watchkeeper_heartbeats", "Signs of life to somebody else", ["outcome"], registry=registry
        )
        for outcome in ("sent", "failed", "left_out"):
            self._beats.labels(outcome)

    async def beat(self) -> None:
        """Once every so often. Raises nothing: what goes wrong is counted, and logged when its words are new."""
        ill = [part for part in [await ask() for ask in self._needed] if part.state == "bad"]
        if ill:
            self._end("left_out", "; ".join(part.detail for part in ill))
            return
        async with contextlib.aclosing(Poster(self._url, self._timeout_s)) as poster:
            answer = await poster.post(b"", {})
        if isinstance(answer, NoAnswer):
            self._end("failed", answer.words)
        elif answer.status >= 300:
            self._end("failed", f"the answer was {answer.status}")
        else:
            self._end("sent", "")

    def _end(self, outcome: str, trouble: str) -> None:
        self._beats.labels(outcome).inc()
        if trouble and trouble != self._trouble:
            log.warning("No sign of life was given: %s", trouble)
        elif not trouble and self._trouble:
            log.info("Signs of life are given again.")
        self._trouble = trouble
