"""The configuration: what holds and where each of it is from, and changing what no file holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, Protocol

import yaml
from aiohttp import web
from msgspec import Meta, Struct

from agent.options import ConfigError
from collector.api.doors import Door, Query, Refusal, Text
from collector.config import Loaded
from collector.config.runtime import Held, Line, SettingError, flat, lines
from collector.who import Who

KEYS_MAX = 100
STATUS_OF = {"unknown": 400, "only_in_files": 409, "held": 409}
Audited = Callable[..., Awaitable[None]]

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


class Runtime(Protocol):
    """`held` is what was taken up last; what is written by now may have a mistake in it."""

    @property
    def held(self) -> Held: ...
    async def change(self, wanted: Mapping[str, Any], by: str, /) -> dict[str, tuple[Any, Any]]: ...


class Config:
    """`audit` notes what was changed: who, what, before, after, and the request that did it."""

    def __init__(self, runtime: Runtime, audit: Audited) -> None:
        self._runtime, self._audit = runtime, audit

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/config", handler=self.get, needs="monitoring.config.read",
                summary="What holds, and where each setting is from", query=ConfigWanted, answer=ConfigView,
            ),
            Door(
                method="PUT", path="/config", handler=self.put, needs="monitoring.config.update",
                summary="Change settings that no file holds; null leaves one to its default again",
                body=Changes, answer=ConfigView, refusals=(409,), with_request=True,
            ),
            Door(
                method="GET", path="/config/export", handler=self.export, needs="monitoring.config.read",
                summary="All that holds as YAML, to be kept as a file", answer="application/yaml",
            ),
        ]  # fmt: skip

    async def get(self, who: Who, asked: ConfigWanted, body: None) -> ConfigView:
        loaded = self._runtime.held.loaded
        wanted = [
            line for line in lines(loaded) if asked.source in (None, line.source) and asked.q in line.key
        ]
        return ConfigView(wanted, flat(loaded))

    async def put(self, who: Who, asked: Query, changes: Changes, request: web.Request) -> ConfigView:
        await changing(self._runtime, self._audit, changes, who, request)
        return await self.get(who, ConfigWanted(), None)

    async def export(self, who: Who, asked: Query, body: None) -> Text:
        return Text(as_file(self._runtime.held.loaded), "application/yaml")


async def changing(
    runtime: Runtime, audit: Audited, changes: Mapping[str, Any], who: Who, request: web.Request
) -> None:
    """Set what is to be set, and note it in the trail. Refusal, with nothing changed."""
    try:
        done = await runtime.change(changes, who.name)
    except SettingError as error:
        raise Refusal(STATUS_OF[error.code], error.code, str(error)) from None
    except ConfigError as mistake:
        raise Refusal(422, "invalid", str(mistake)) from None
    before = {key: was for key, (was, _) in done.items()}
    after = {key: becomes for key, (_, becomes) in done.items()}
    await audit(who, "config.update", before=before, after=after, request=request)


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
