"""What is set while the collector runs: kept in the store, laid below the file, and taken up without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from agent.options import ConfigError
from collector.config import Loaded
from collector.config.runtime import (
    Held,
    flattened,
    laid_under,
    refuse_what_is_held,
    values_of,
    with_rules,
)
from collector.desks.settings import Noting
from collector.store.settings import Setting, Settings

log = logging.getLogger(__name__)


class Runtime:
    """`files` reads the config as file and environment have it; `take_up` makes what holds anew hold.

    `held` is what was taken up last: what is written by now may have a mistake in it.
    """

    def __init__(
        self,
        files: Callable[[], Loaded],
        settings: Settings,
        take_up: Callable[[Held], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._files, self._settings = files, settings
        self._take_up, self._now_ms = take_up, now_ms
        self._values: dict[str, Any] = {}
        self._changing = asyncio.Lock()
        self.held: Held

    async def read(self) -> None:
        """Learn what is set. Should it not fit the file or this version, the file alone holds. StoreError."""
        self._values = values_of(await self._settings.all())
        try:
            self.held = self.load()
        except ConfigError as mistake:
            log.error("What was set while it ran does not fit and is left out: %s", mistake)  # noqa: TRY400 - no trace of ours
            self._values = {}
            self.held = self.load()

    def load(self) -> Held:
        """All that is written and set by now. ConfigError."""
        return with_rules(laid_under(self._files(), self._values))

    async def change(self, wanted: Mapping[str, Any], by: str, note: Noting) -> None:
        """Set keys, or with None leave them to the defaults again. `note` sees to it that the change is made, and is
        told how each was and is to be.

        SettingError and ConfigError say why not, StoreError why not now; then nothing is changed.
        """
        async with self._changing:
            files = self._files()
            changes = flattened(wanted)
            refuse_what_is_held(files, changes)
            values = {key: value for key, value in {**self._values, **changes}.items() if value is not None}
            held = with_rules(laid_under(files, values))
            now = self._now_ms()
            put = [
                Setting(key, msgspec.json.encode(value).decode(), now, by)
                for key, value in changes.items()
                if value is not None
            ]
            before = {key: self._values.get(key) for key in changes}
            drop = [key for key, value in changes.items() if value is None]
            await note(self._settings.change(put, drop), before, changes)
            self._values = values
            self._take_up(self._by_now(held))

    def _by_now(self, held: Held) -> Held:
        """What is written by now, as a reload may have come while the change was kept; `held` if that has a mistake."""
        try:
            return self.load()
        except ConfigError:
            return held
