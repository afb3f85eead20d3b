"""Services: which there are, and what each is made of; made and changed by programs where no file holds them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from collector.api.doors import Door, Query, Refusal
from collector.desks.services import Services
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


class ServiceDoors:
    def __init__(self, services: Services) -> None:
        self._services = services

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
        return [self._view(one) for one in await self._services.all()]

    async def put(self, who: Who, asked: OneService, options: ServiceOptions) -> ServiceView:
        if options.name != asked.name:
            raise Refusal(422, "name", f"the body is about {options.name[:100]!r}, and the address is not")
        await self._services.put(who, options)
        return self._view(options)

    async def remove(self, who: Who, asked: OneService, body: None) -> None:
        await self._services.remove(who, asked.name)

    def _view(self, options: ServiceOptions) -> ServiceView:
        return ServiceView(options, options.called, self._services.is_written(options.name))
