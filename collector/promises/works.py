"""Maintenance that people set for alerts, as far as it says something about a service: then it does not count either.

A window that is about some hosts, rules or subjects says nothing about the promise; one that names the service does,
and so does one that is about everything. What is written down already is not bent by a window that is set afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from collector.store.policy import PolicyKept
from rules.labels import one_of
from rules.policy import Maintenance
from rules.times.calendar import times


class Said(Protocol):
    """What the config says of maintenance."""

    @property
    def zone(self) -> str: ...
    @property
    def maintenance(self) -> list[Maintenance]: ...


class Works:
    """The windows of the config, and those that were planned since."""

    def __init__(self, said: Said, kept: PolicyKept) -> None:
        self._said, self._kept = said, kept

    def configure(self, said: Said) -> None:
        """What the config says now."""
        self._said = said

    async def all(self) -> Planning:
        """StoreError."""
        return Planning([*self._said.maintenance, *await self._kept.maintenance()], self._said.zone)


class Planning:
    """All windows at one moment."""

    def __init__(self, works: Sequence[Maintenance], zone: str) -> None:
        self._works, self._zone = works, zone

    def spans(self, service: str, start: int, end: int) -> dict[str, list[tuple[int, int]]]:
        """Of those that hold for a service, by what they are called."""
        found: dict[str, list[tuple[int, int]]] = {}
        for work in self._works:
            if is_about(work, service):
                when = times(work.when, self._zone)
                spans = takewhile(lambda span: span[0] < end, when.spans(start))
                found.setdefault(f"maintenance, {work.name}", []).extend(spans)
        return found


def is_about(work: Maintenance, service: str) -> bool:
    narrower = work.where or work.rules or work.categories or work.subject or work.from_severity != "info"
    return not narrower and one_of(work.services, service)
