"""Settings that people and programs change while the collector runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from agent.options import ConfigError
from collector.config.runtime import Held, SettingError
from collector.desks.trail import Audit
from collector.who import Refusal, Who

STATUS_OF = {"unknown": 400, "only_in_files": 409, "held": 409}


class Runtime(Protocol):
    """`held` is what was taken up last; what is written by now may have a mistake in it."""

    @property
    def held(self) -> Held: ...

    async def change(self, wanted: Mapping[str, Any], by: str) -> dict[str, tuple[Any, Any]]:
        """SettingError and ConfigError say why not, StoreError why not now."""
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
            done = await self._runtime.change(changes, who.name)
        except SettingError as error:
            raise Refusal(STATUS_OF[error.code], error.code, str(error)) from None
        except ConfigError as mistake:
            raise Refusal(422, "invalid", str(mistake)) from None
        before = {key: was for key, (was, _) in done.items()}
        after = {key: becomes for key, (_, becomes) in done.items()}
        await self._audit.record(who, "config.update", before=before, after=after)
