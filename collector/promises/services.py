"""Which services there are: those of the config, and those that people and programs made since."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from collector.store.promises import Promise, Promises
from collector.who import Refusal
from rules.sla.model import ServiceOptions, in_order

log = logging.getLogger(__name__)


class Services:
    """What the config says goes before what was said at run time."""

    def __init__(self, written: Sequence[ServiceOptions], promises: Promises) -> None:
        self._written, self._promises = tuple(written), promises
        self._said = ""

    def replace(self, written: Sequence[ServiceOptions]) -> None:
        """What the config says now."""
        self._written = tuple(written)

    async def all(self) -> list[ServiceOptions]:
        """Each after those that it depends on. StoreError.

        Where those made at run time do not go together with a config that was changed, those of the config are all.
        """
        names = {service.name for service in self._written}
        try:
            made = [decoded(row) for row in await self._promises.all() if row.name not in names]
            services = in_order([*self._written, *made])
        except (ValueError, msgspec.DecodeError) as mistake:
            if str(mistake) != self._said:
                self._said = str(mistake)
                log.error("Services that were made at run time are left out: %s", mistake)  # noqa: TRY400 - no fault of ours
            return in_order(self._written)
        self._said = ""
        return services

    def is_written(self, name: str) -> bool:
        """Whether it stands in the config, and so cannot be changed at run time."""
        return any(service.name == name for service in self._written)

    async def put(self, service: ServiceOptions, by: str, now: int) -> None:
        """Make a service, or change one that was made at run time. Refusal, StoreError."""
        self._refuse_written(service.name)
        others = [other for other in await self.all() if other.name != service.name]
        try:
            in_order([*others, service])
        except ValueError as mistake:
            raise Refusal(409, "refused", str(mistake)) from None
        options = msgspec.json.encode(service).decode()
        await self._promises.put(Promise(service.name, options, now, by))

    async def remove(self, name: str) -> bool:
        """What it was stays kept. False when there is none of that name. Refusal, StoreError."""
        self._refuse_written(name)
        for service in await self.all():
            if service.depends_on and name in service.depends_on.services:
                raise Refusal(409, "refused", f'"{service.name}" depends on "{name}"; change that first')
        return await self._promises.remove(name)

    def _refuse_written(self, name: str) -> None:
        if self.is_written(name):
            sentence = f'"{name}" stands in the config of the collector; change it there and reload'
            raise Refusal(409, "refused", sentence)


def decoded(row: Promise) -> ServiceOptions:
    return msgspec.json.decode(row.options, type=ServiceOptions)
