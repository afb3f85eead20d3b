"""Services: which there are, and what each is made of; made and changed by programs where no file holds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol

from msgspec import Meta, Struct

from collector.api.doors import Door, Query, Refusal, missing
from collector.desks.trail import Audit
from collector.who import Who
from rules.sla.model import ServiceOptions

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class OneService(Query, frozen=True, kw_only=True):
    """Which service.

    name: the name of the service
    """

    name: Name


class ServiceView(Struct, frozen=True):
    """A service as it is written. `in_config`: it can be changed in the collector's file only."""

    options: ServiceOptions
    title: str
    in_config: bool


class Kept(Protocol):
    """The services there are. `put` and `remove` may raise Refusal."""

    async def all(self) -> list[ServiceOptions]: ...
    def is_written(self, name: str) -> bool: ...
    async def put(self, service: ServiceOptions, by: str, now: int) -> None: ...
    async def remove(self, name: str) -> bool: ...


class Services:
    def __init__(self, kept: Kept, audit: Audit, now_ms: Callable[[], int]) -> None:
        self._kept, self._audit, self._now_ms = kept, audit, now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/services", handler=self.services, needs="monitoring.read",
                summary="The services, and what each is made of", answer=list[ServiceView],
            ),
            Door(
                method="PUT", path="/services/{name}", handler=self.put, needs="monitoring.config.update",
                summary="Make a service, or change one that no file holds", query=OneService,
                body=ServiceOptions, answer=ServiceView, refusals=(409,),
            ),
            Door(
                method="DELETE", path="/services/{name}", handler=self.remove,
                needs="monitoring.config.update", summary="Remove a service; what it was stays written down",
                query=OneService, answer=None, status=204, refusals=(409,),
            ),
        ]  # fmt: skip

    async def services(self, who: Who, asked: Query, body: None) -> list[ServiceView]:
        return [self._view(one) for one in await self._kept.all()]

    async def put(self, who: Who, asked: OneService, options: ServiceOptions) -> ServiceView:
        if options.name != asked.name:
            raise Refusal(422, "name", f"the body is about {options.name[:100]!r}, and the address is not")
        before = await self._find(asked.name)
        await self._kept.put(options, who.name, self._now_ms())
        await self._audit.record(who, "service.put", before=before, after=options)
        return self._view(options)

    async def remove(self, who: Who, asked: OneService, body: None) -> None:
        before = await self._find(asked.name)
        if not await self._kept.remove(asked.name):
            raise missing("service", asked.name)
        await self._audit.record(who, "service.remove", before=before)

    async def _find(self, name: str) -> ServiceOptions | None:
        return next((one for one in await self._kept.all() if one.name == name), None)

    def _view(self, options: ServiceOptions) -> ServiceView:
        return ServiceView(options, options.called, self._kept.is_written(options.name))
