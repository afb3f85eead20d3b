"""The groups of pages, each joined with the parts that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from collector.access.gate import safe_next
from collector.app.faces import faces
from collector.config import CollectorConfig
from collector.web.accounts import Accounts
from collector.web.alert_pages import AlertPages
from collector.web.audit_pages import AuditPages
from collector.web.deeds import Deeds
from collector.web.host_pages import HostPages
from collector.web.incident_pages import IncidentPages
from collector.web.join_pages import JoinPages
from collector.web.links import LinkPages
from collector.web.notice_pages import NoticePages
from collector.web.replays import ReplayPages
from collector.web.rule_pages import RulePages
from collector.web.silence_pages import SilencePages
from rules.memory.watch import Watch

if TYPE_CHECKING:
    from collector.app.parts import Parts


def pages(parts: Parts, config: CollectorConfig, now_ms: Callable[[], int]) -> list[web.RouteDef]:
    """Every page there is. The last route answers for every address that nothing else does."""
    frame, store, act = parts.pages.frame, parts.store, parts.acting

    def known() -> Watch:
        return parts.evaluator.watch

    incidents = IncidentPages(frame, store, known, act, now_ms=now_ms)
    names = [options.name for options in config.channels]
    return [
        *LinkPages(frame, store, read=parts.links.read, act=act, show=incidents.show, now_ms=now_ms).routes(),
        *Accounts(frame, parts.access.own, parts.access.setup, safe_next=safe_next).routes(),
        *Deeds(frame, store.incidents, act, now_ms=now_ms).routes(),
        *AlertPages(frame, store, act=act, policies=parts.policies, now_ms=now_ms).routes(),
        *incidents.routes(),
        *JoinPages(frame, parts.codes).routes(),
        *HostPages(frame, store, known, parts.capacity.report, now_ms=now_ms).routes(),
        *RulePages(frame, store, known, written=lambda: parts.runtime.held.written, now_ms=now_ms).routes(),
        *_replay_pages(parts, now_ms).routes(),
        *SilencePages(frame, known, parts.policies, now_ms=now_ms).routes(),
        *NoticePages(frame, store, names, now_ms=now_ms).routes(),
        *AuditPages(frame, parts.access.audit, now_ms=now_ms).routes(),
        *faces(parts, config, now_ms),
        *parts.pages.routes(),
    ]


def _replay_pages(parts: Parts, now_ms: Callable[[], int]) -> ReplayPages:
    runtime = parts.runtime
    return ReplayPages(
        parts.pages.frame,
        parts.store,
        parts.replays,
        written=lambda: runtime.held.written,
        keep_ms=lambda: runtime.held.config.keep_s * 1000,
        now_ms=now_ms,
    )
