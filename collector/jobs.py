"""Jobs that run elsewhere call /ping/TOKEN when they have ended; when one is not heard of in time, a rule says so.

The addresses are those of Healthchecks, so that what calls it can call us: /ping/TOKEN has ended well, /start, /log,
/fail and /EXIT_CODE. What is known of a job goes round as series of the collector's own, for rules and charts.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from collector.config.jobs import JobOptions
from collector.store import StoreError
from collector.store.jobs import Jobs as Kept
from collector.who import needs
from rules.jobs import Job, began, ended, noted, series

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 100_000
EXIT_CODE_MAX = 255
FAILED = 1

Post = Callable[[Sequence[tuple[str, dict[str, str], float]]], Awaitable[None]]
"""Takes metric, labels and value of each series."""


class Jobs:
    """Hears of jobs, and has `post` tell of them. `start` before anything else."""

    def __init__(
        self,
        kept: Kept,
        expected: Sequence[JobOptions],
        *,
        post: Post,
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
    ) -> None:
        self._kept, self._post, self._now_ms = kept, post, now_ms
        self._known: dict[str, Job] = {}
        self._pings = Counter(
            "watchkeeper_pings", "What jobs told of themselves", ["outcome"], registry=registry
        )
        self._expect(expected)

    async def start(self) -> None:
        """Read what was known, and begin with jobs that are new. StoreError."""
        await self.replace(list(self._expected.values()))

    async def replace(self, expected: Sequence[JobOptions]) -> None:
        """From now on these are expected, and no others. StoreError."""
        known = {job.name: job for job in await self._kept.all()}
        self._expect(expected)
        await self._kept.forget([name for name in known if name not in self._expected])
        self._known = {}
        for name in self._expected:
            if name not in known:
                known[name] = Job(name, self._now_ms())
                await self._kept.keep(known[name])
            self._known[name] = known[name]

    def routes(self) -> list[web.RouteDef]:
        """For jobs: no login, the address itself is the secret."""
        return [
            web.route(method, path, needs(None, self._ping))
            for method in ("GET", "HEAD", "POST")
            for path in ("/ping/{token}", "/ping/{token}/{how}")
        ]

    async def tell(self) -> None:
        """Have what is known of each job kept as samples; to be called at every tick. StoreError."""
        now = self._now_ms()
        found = [
            (metric, {"job": name}, value)
            for name, job in self._known.items()
            for metric, value in series(job, self._expected[name].schedule, now).items()
        ]
        if found:
            await self._post(found)

    def _expect(self, expected: Sequence[JobOptions]) -> None:
        self._expected = {options.name: options for options in expected}
        self._by_token = {_digest(options.token.reveal()): options.name for options in expected}

    async def _ping(self, request: web.Request) -> web.Response:
        """A job is answered once what it said is on disk: one that hears nothing calls again, as curl --retry does."""
        name = self._by_token.get(_digest(request.match_info["token"]))
        if name is None or name not in self._known:
            return self._answer(404, "unknown", "no job has this address")
        how = request.match_info.get("how", "0")
        try:
            job = self._heard(self._known[name], how, await _words(request))
        except ValueError as mistake:
            return self._answer(400, "unclear", str(mistake))
        try:
            await self._kept.keep(job)
        except StoreError as error:
            log.warning("What the job %s said is not kept: %s", name, error)
            return self._answer(503, "not_kept", "it cannot be kept now; call again")
        self._known[name] = job
        return self._answer(200, "taken", "OK")

    def _heard(self, job: Job, how: str, words: str) -> Job:
        now = self._now_ms()
        if how == "start":
            return began(job, now)
        if how == "log":
            return noted(job, words)
        if how == "fail":
            return ended(job, now, FAILED, words)
        if how.isascii() and how.isdecimal() and len(how) <= 3 and int(how) <= EXIT_CODE_MAX:
            return ended(job, now, int(how), words)
        raise ValueError("call /ping/TOKEN, or end it in /start, /log, /fail or an exit code from 0 to 255")

    def _answer(self, status: int, outcome: str, text: str) -> web.Response:
        self._pings.labels(outcome).inc()
        return web.Response(status=status, text=text + "\n", headers={"Cache-Control": "no-store"})


async def _words(request: web.Request) -> str:
    """What came with it; of too much only so much is read as a person would."""
    body = bytearray()
    async for chunk in request.content.iter_chunked(8_192):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            del body[:-BODY_BYTES_MAX]
    return body.decode(errors="replace")


def _digest(token: str) -> bytes:
    """Tokens are looked up by their hash, so that how long it takes says nothing about how much of one was right."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
