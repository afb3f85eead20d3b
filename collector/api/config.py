"""The configuration: what holds and where each of it is from, and changing what no file holds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from msgspec import Meta, Struct

from collector.api.doors import Door, Query, Text
from collector.config import Loaded
from collector.config.runtime import Line, flat, lines
from collector.desks.settings import Settings
from collector.who import Who

KEYS_MAX = 100

Changes = Annotated[dict[Annotated[str, Meta(max_length=200)], Any], Meta(min_length=1, max_length=KEYS_MAX)]


class ConfigView(Struct, frozen=True):
    """Every setting, and the flat words for a few of them, which programs may change by these names. No secret is
    shown."""

    settings: list[Line]
    flat: dict[str, float]


class ConfigWanted(Query, frozen=True, kw_only=True):
    """Which settings.

    source: only those from there
    q: only those whose key holds this text
    """

    source: Literal["default", "run time", "file", "environment"] | None = None
    q: Annotated[str, Meta(max_length=200)] = ""


class Config:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/config", handler=self.get, needs="monitoring.config.read",
                summary="What holds, and where each setting is from", query=ConfigWanted, answer=ConfigView,
            ),
            Door(
                method="PUT", path="/config", handler=self.put, needs="monitoring.config.update",
                summary="Change settings that no file holds; null leaves one to its default again",
                body=Changes, answer=ConfigView, refusals=(409,),
            ),
            Door(
                method="GET", path="/config/export", handler=self.export, needs="monitoring.config.read",
                summary="All that holds as YAML, to be kept as a file", answer="application/yaml",
            ),
        ]  # fmt: skip

    async def get(self, who: Who, asked: ConfigWanted, body: None) -> ConfigView:
        loaded = self._settings.held.loaded
        wanted = [
            line for line in lines(loaded) if asked.source in (None, line.source) and asked.q in line.key
        ]
        return ConfigView(wanted, flat(loaded))

    async def put(self, who: Who, asked: Query, changes: Changes) -> ConfigView:
        await self._settings.change(who, changes)
        return await self.get(who, ConfigWanted(), None)

    async def export(self, who: Who, asked: Query, body: None) -> Text:
        return Text(as_file(self._settings.held.loaded), "application/yaml")


def as_file(loaded: Loaded) -> str:
    """What holds, as a file would say it; defaults are left out, and secrets stand as asterisks."""
    tree: dict[str, Any] = {}
    for line in lines(loaded):
        if line.source != "default":
            *above, last = line.key.split(".")
            place = tree
            for name in above:
                place = place.setdefault(name, {})
            place[last] = line.value
    text: str = yaml.safe_dump({"collector": tree}, sort_keys=False, allow_unicode=True)
    return text
