"""The pages about what is promised, advised and set, joined to the parts that know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from collector.api.doors import Query
from collector.api.scalability.simulating import Simulating, Simulation
from collector.app.advice import Counsel
from collector.config import CollectorConfig
from collector.messages import Failed, Message, Sent
from collector.web.advice import AdvicePages
from collector.web.people import People
from collector.web.plays import Played, Wanted
from collector.web.services import ServicePages
from collector.web.settings import SettingsPages
from collector.web.status import Board, StatusPages
from collector.who import LOCAL
from rules.capacity.slope import Numbers, Times
from rules.model import Notice

if TYPE_CHECKING:
    from collector.app.parts import Parts


def faces(parts: Parts, config: CollectorConfig, now_ms: Callable[[], int]) -> list[web.RouteDef]:
    frame, store, promised = parts.pages.frame, parts.store, parts.promised
    board = Board(
        store,
        promised.accounts,
        promised.services.all,
        promised.works,
        lambda: parts.runtime.held.config.status_page,
        now_ms,
    )
    is_public = config.access.status_page
    return [
        *ServicePages(frame, store, promised.accounts, promised.services.all, now_ms=now_ms).routes(),
        *StatusPages(frame, board, is_public=is_public, url=config.url, zone=config.zone).routes(),
        *_advice(parts, now_ms).routes(),
        *_settings(parts, config, now_ms).routes(),
        *People(frame, parts.access.desk, parts.codes, parts.access.roles.names, now_ms=now_ms).routes(),
    ]


def _advice(parts: Parts, now_ms: Callable[[], int]) -> AdvicePages:
    async def load(service: str, end: int, past_ms: int, step_ms: int) -> tuple[Times, Numbers]:
        return await Counsel(parts.store, parts.runtime.held.loaded, now_ms).load(
            service, end, past_ms, step_ms
        )

    simulating = Simulating(parts.advisor, load, now_ms)

    async def play(service: str, wanted: Wanted) -> tuple[Sequence[Played], int]:
        asked = Simulation(
            service=service,
            load=wanted.load,
            step=wanted.step,
            range=wanted.source if wanted.is_past else None,
            start=wanted.start,
            min=wanted.min,
            max=wanted.max,
            cpu_target_pct=wanted.target_pct,
        )
        played = await simulating.simulate(LOCAL, Query(), asked)
        return played.runs, played.step_ms

    return AdvicePages(
        parts.pages.frame,
        parts.advisor,
        parts.capacity.reports,
        play,
        now_ms=now_ms,
    )


def _settings(parts: Parts, config: CollectorConfig, now_ms: Callable[[], int]) -> SettingsPages:
    async def test(name: str) -> Sent | Failed:
        """A message that anybody can tell from a real one."""
        notice = Notice(
            id=f"test-{now_ms()}",
            incident=0,
            channel=name,
            reason="first",
            severity="info",
            host="",
            title="Watchkeeper: a test",
            text="Somebody sent this to see whether messages get through. Nothing is wrong.",
            created_at=now_ms(),
            started_at=now_ms(),
        )
        return await parts.notifier.test(name, Message(notice, config.link_base))

    return SettingsPages(
        parts.pages.frame,
        parts.settings,
        parts.notifier.channels_state,
        test,
        parts.access.audit,
        now_ms=now_ms,
    )
