"""Advice on scaling: how it stands with each service, and what may be asked of `collector.advice`."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from collector.store.advice import Advised, HookRun
from collector.who import Who
from rules.scaling.ahead import BackTest
from rules.scaling.model import Recommendation, ScalingPolicy


class Standing(Struct, frozen=True):
    """How it stands with a service: what is recommended now, None before the first look, and what would be done.

    `ahead` says what the pattern of its load is worth; `hook` is webhook, command or none.
    """

    service: str
    policy: ScalingPolicy
    recommendation: Recommendation | None
    auto: bool
    auto_by: str
    hook: str
    dry_run: bool
    ahead: str
    test: BackTest | None


class Advisor(Protocol):
    @property
    def services(self) -> list[str]: ...

    def standing(self, service: str) -> Standing | None:
        """None when there is no policy for it."""
        ...

    async def history(self, service: str | None, limit: int) -> list[Advised]:
        """What was said and what became of it, newest first."""
        ...

    async def runs(self, service: str | None, limit: int) -> list[HookRun]:
        """What hooks did, newest first."""
        ...

    async def switch(self, who: Who, service: str, on: bool) -> None:
        """Scale without asking from now on, or no longer."""
        ...
