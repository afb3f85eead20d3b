"""What the commands about promises ask; who answers is handed to them."""

from __future__ import annotations

from typing import Protocol

from rules.sla.model import Span
from rules.sla.report import Report
from rules.sla.summary import Summary


class Ledger(Protocol):
    async def summaries(self, span: Span | None, now: int) -> list[Summary]:
        """StoreError."""
        ...

    async def report(self, name: str, when: str, now: int) -> Report:
        """ValueError when there is no such month or service; StoreError."""
        ...
