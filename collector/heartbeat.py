"""A sign of life to somebody else: as long as it comes, the collector judges and keeps what agents send.

It is left out while something essential is not well, so that whoever waits for it tells people what we cannot.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from prometheus_client import CollectorRegistry, Counter

from agent.options import Secret
from collector.health import Component

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
        try:
            answer = await self._post()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._end("failed", f"no answer ({type(error).__name__})")
            return
        self._end("sent" if answer < 300 else "failed", "" if answer < 300 else f"the answer was {answer}")

    async def _post(self) -> int:
        """The status of the answer. It is asked rarely: no connection is kept between two."""
        limit = aiohttp.ClientTimeout(total=self._timeout_s)
        async with (
            aiohttp.ClientSession(
                timeout=limit, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.post(self._url.reveal(), allow_redirects=False) as response,
        ):
            return response.status

    def _end(self, outcome: str, trouble: str) -> None:
        self._beats.labels(outcome).inc()
        if trouble and trouble != self._trouble:
            log.warning("No sign of life was given: %s", trouble)
        elif not trouble and self._trouble:
            log.info("Signs of life are given again.")
        self._trouble = trouble
