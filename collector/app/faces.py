"""The pages about what is promised, advised and set, joined to the parts that know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from collector.config import CollectorConfig
from collector.messages import Failed, Message, Sent
from collector.web.advice import AdvicePages
from collector.web.people import People
from collector.web.service_forms import ServiceForms
from collector.web.services import ServicePages
from collector.web.settings import SettingsPages
from collector.web.status import Board, StatusPages
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
        *ServiceForms(frame, store.samples, parts.services).routes(),
        *ServicePages(frame, store, promised.accounts, parts.services, now_ms=now_ms).routes(),
        *StatusPages(frame, board, is_public=is_public, url=config.url, zone=config.zone).routes(),
        *_advice(parts, now_ms).routes(),
        *_settings(parts, config, now_ms).routes(),
        *People(frame, parts.access.desk, parts.codes, parts.access.roles.names, now_ms=now_ms).routes(),
    ]


def _advice(parts: Parts, now_ms: Callable[[], int]) -> AdvicePages:
    return AdvicePages(
        parts.pages.frame,
        parts.store.samples,
        parts.advisor,
        parts.capacity.reports,
        parts.plays,
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
