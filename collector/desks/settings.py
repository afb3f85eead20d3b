"""Settings that people and programs change while the collector runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from agent.options import ConfigError
from collector.config.runtime import Held, SettingError
from collector.desks.trail import Audit
from collector.who import Refusal, Who

Noting = Callable[[Awaitable[None], Mapping[str, Any], Mapping[str, Any]], Awaitable[None]]
STATUS_OF = {"unknown": 400, "only_in_files": 409, "held": 409}


class Runtime(Protocol):
    """`held` is what was taken up last; what is written by now may have a mistake in it."""

    @property
    def held(self) -> Held: ...

    async def change(self, wanted: Mapping[str, Any], by: str, note: Noting) -> None:
        """`note` is handed the change that is to be kept, and how all of it was and is to be. SettingError and
        ConfigError say why not, StoreError why not now."""
        ...


class Settings:
    def __init__(self, runtime: Runtime, audit: Audit) -> None:
        self._runtime, self._audit = runtime, audit

    @property
    def held(self) -> Held:
        """The config as it holds."""
        return self._runtime.held

    async def change(self, who: Who, changes: Mapping[str, Any]) -> None:
        """Set keys, or with None leave them to their defaults. Refusal and StoreError, with nothing changed."""
        try:
            await self._runtime.change(changes, who.name, partial(self._note, who))
        except SettingError as error:
            raise Refusal(STATUS_OF[error.code], error.code, str(error)) from None
        except ConfigError as mistake:
            raise Refusal(422, "invalid", str(mistake)) from None

    async def _note(self, who: Who, change: Awaitable[None], before: object, after: object) -> None:
        await self._audit.noted(who, "config.update", change, before=before, after=lambda _: after)
