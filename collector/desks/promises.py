"""How services stand against what is promised of them: what may be asked of `collector.promises`."""

from __future__ import annotations

from typing import Protocol

from collector.store.promises import Day
from rules.sla.model import Interval, Span
from rules.sla.report import Report
from rules.sla.summary import Outage, Summary


class Accounts(Protocol):
    """ValueError when nothing is known of a service for that time; StoreError."""

    async def summaries(self, span: Span | None, now: int) -> list[Summary]: ...
    async def summary(self, name: str, span: Span | None, now: int) -> Summary: ...
    async def timeline(self, name: str, start: int, end: int, now: int) -> list[Interval]: ...
    async def days(self, name: str, count: int, now: int) -> list[Day]: ...
    async def outages(self, name: str, since: int, now: int) -> list[Outage]: ...
    async def report(self, name: str, when: str, now: int) -> Report: ...
