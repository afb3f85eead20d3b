"""A site to look at: a real store, the real judge in front of it, and the real pages on a port of their own."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import numpy as np
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry

from agent.wire import series_name
from collector.config import PACKS, read_rules
from collector.evaluator import Evaluator
from collector.stores.sqlite import open_store
from collector.web.host_pages import HostPages
from collector.web.incident_pages import IncidentPages
from collector.web.notice_pages import NoticePages
from collector.web.pages import Pages
from collector.who import ASKED_BY, FORM_TOKEN, LOCAL, Handler, Permission, Who
from rules.capacity.report import HostReport
from rules.judging.engine import Rule
from rules.memory.watch import Watch
from rules.model import Arrival, ChannelView, CheckAnswer, Host

NOW = 1_795_140_000_000
"""Friday, 2026-11-20 02:00:00 UTC."""
EVERY_MS = 10_000


def rules_of_the_packs() -> list[Rule]:
    return [rule for pack in ("hosts", "services", "critical") for rule in read_rules(PACKS / f"{pack}.yaml")]


def state_series(check: CheckAnswer) -> str:
    """What an agent sends of each check besides its words."""
    return series_name("check_state", {"check": check.id, "kind": check.kind})


def asked_by(who: Who) -> Middleware:
    """A gate that takes everybody for `who`."""

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[ASKED_BY], request[FORM_TOKEN] = who, "token-of-the-session"
        return await handler(request)

    return gate


async def may_still(request: web.Request, needed: Permission) -> bool:
    """Nobody's rights change here."""
    return request[ASKED_BY].may(needed)


class Site:
    """`async with Site(folder) as site`; the clock stands where `now` says."""

    def __init__(
        self,
        folder: Path,
        *,
        rules: Sequence[Rule] | None = None,
        channels: Sequence[str] = ("mail",),
        more: Callable[[Site], Sequence[web.RouteDef]] = lambda site: (),
        middlewares: Sequence[Middleware] = (asked_by(LOCAL),),
    ) -> None:
        """`more` brings the routes of other groups of pages, once all that they need is there; `middlewares` stand
        before all of them."""
        self._middlewares = middlewares
        self.now = NOW
        self._folder, self._channels, self._more = folder, list(channels), more
        self._rules = rules_of_the_packs() if rules is None else rules
        self._seqs: dict[int, int] = {}
        self.reports: dict[int, HostReport] = {}
        self.registry = CollectorRegistry()

    async def __aenter__(self) -> Site:
        self.store = await open_store(self._folder, role="collector")
        self.pages = Pages(
            self.store,
            self._channels,
            promised=self.store.promises.all,
            may_still=may_still,
            now_ms=lambda: self.now,
            registry=self.registry,
        )
        views = [ChannelView(name) for name in self._channels]
        self.evaluator = Evaluator(
            self.store,
            self._rules,
            views,
            now_ms=lambda: self.now,
            on_commit=self.pages.publish,
            registry=self.registry,
            monotonic=lambda: self.now / 1000,
        )
        await self.evaluator.start()
        self.incidents = IncidentPages(
            self.pages.frame, self.store, self.known, self.evaluator.act, now_ms=lambda: self.now
        )
        app = web.Application(middlewares=self._middlewares)
        app.add_routes([*self._more(self), *self._groups(), *self.pages.routes()])
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.client = aiohttp.ClientSession(self.url, auto_decompress=True)
        return self

    def _groups(self) -> list[web.RouteDef]:
        """The pages that need no more than is here."""
        frame, store = self.pages.frame, self.store
        return [
            *self.incidents.routes(),
            *HostPages(frame, store, self.known, self.reports.get, now_ms=lambda: self.now).routes(),
            *NoticePages(frame, store, self._channels, now_ms=lambda: self.now).routes(),
        ]

    def known(self) -> Watch:
        """What the judge remembers."""
        return self.evaluator.watch

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()
        await self.pages.close()
        await self._runner.cleanup()
        await self.evaluator.stop()
        await self.store.close()

    # --- hosts and what they send ---

    async def enrol(self, name: str, **labels: str) -> Host:
        digest = hashlib.sha256(name.encode()).digest()
        return await self.store.hosts.enrol(
            name, labels, hashlib.sha256(digest).hexdigest()[:16], digest, self.now
        )

    async def send(
        self,
        host: Host,
        values: Mapping[str, float | None],
        *,
        at: int | None = None,
        checks: Sequence[CheckAnswer] = (),
        facts: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        flags: tuple[str, ...] = (),
        skew_ms: int = 0,
    ) -> None:
        """One batch of a host, sampled `at` and heard now; it is on disk when this returns."""
        stand = {"ok": 0.0, "warn": 1.0, "bad": 2.0}
        values = {**values, **{state_series(check): stand.get(check.state) for check in checks}}
        seq = self._seqs[host.id] = self._seqs.get(host.id, -1) + 1
        layout = tuple(sorted(values))
        numbers = [math.nan if values[name] is None else values[name] for name in layout]
        arrival = Arrival(
            host=host.id,
            spool=hashlib.sha256(str(host.id).encode()).hexdigest()[:32],
            seq=seq,
            floor=0,
            at=self.now if at is None else at,
            arrived_at=self.now,
            every_ms=EVERY_MS,
            skew_ms=skew_ms,
            layout=layout,
            values=np.array(numbers, dtype=np.float64),
            checks=list(checks),
            facts=facts,
            labels=labels,
            flags=flags,
        )
        assert await self.evaluator.take([arrival]) == ["ok"]

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, tick by tick, so that silence is noticed."""
        for _ in range(int(seconds)):
            self.now += 1_000
            self.evaluator.tick()
        assert await self.evaluator.take([]) == []  # returns when all before it is on disk

    # --- what a browser would see ---

    async def get(self, path: str, **headers: str) -> Page:
        async with self.client.get(path, headers=headers) as answer:
            return Page(answer.status, answer.headers, await answer.text())


class Page:
    """An answer, its HTML taken apart: `tags` are (name, attributes), `text` what a reader reads."""

    def __init__(self, status: int, headers: Mapping[str, str], source: str) -> None:
        self.status, self.headers, self.source = status, headers, source
        parser = _Parser()
        parser.feed(source if "html" in headers.get("Content-Type", "") else "")
        parser.close()
        assert not parser.open, f"never closed: {parser.open}"
        self.tags = parser.tags
        self.text = " ".join(" ".join(parser.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def all(self, name: str, /, **attributes: str) -> list[dict[str, str]]:
        """The attributes of every such tag that has these among its own."""
        return [
            found
            for tag, found in self.tags
            if tag == name and all(found.get(k) == v for k, v in attributes.items())
        ]


class _Parser(HTMLParser):
    """Fails on a tag that is closed out of turn: a browser would repair that silently, and differently each time."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)
