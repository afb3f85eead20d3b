"""Writes down what services were: once a minute what is new, and again what batches that came late have changed.

What is written lies a little back, so that what is on its way is waited for. What comes later nevertheless is noted by
the store with the batch itself; those ranges are looked at again, and what is found otherwise is marked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import pairwise

from collector.promises.looking import NOT_KEPT, PIECE_MS, Fleet, Looking, stored
from collector.promises.services import Services
from collector.promises.works import Works
from collector.store import Store
from collector.store.promises import LateRange, Reach
from rules.sla.courses import FAR, Course, intervals_of, laid_over, mended, steady
from rules.sla.model import UNKNOWN, ServiceOptions
from rules.sla.timeline import Range, excluded_course

log = logging.getLogger(__name__)

ROUND_S = 30.0
GRACE_MS = 30_000
"""So long is waited for what is under way, so that little has to be put right."""
WRITTEN_AT_ONCE = 20
EXTEND_FOR_S = 5.0
"""What there is to catch up with is spread over rounds."""


class Keeping:
    """One per store: there is one who writes."""

    def __init__(
        self,
        store: Store,
        services: Services,
        *,
        works: Works,
        now_ms: Callable[[], int],
        in_doubt: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`in_doubt`: whether the date is one that should not be trusted."""
        self._store, self._services = store, services
        self._looking, self._works = Looking(store, works), works
        self._now_ms, self._monotonic, self._in_doubt = now_ms, monotonic, in_doubt

    async def round(self) -> None:
        """Meant to be called every ROUND_S. StoreError: the next one does what this one could not."""
        now = self._now_ms()
        if self._in_doubt():
            return
        services = await self._services.all()
        if not services:
            return
        fleet = await self._looking.fleet(services)
        await self._take_back(services, now)
        # After a sleep it is noted only a moment later that nobody listened meanwhile.
        await self._extend(services, fleet, min(now - GRACE_MS, await self._looking.listened_until()))
        await self._put_right(services, fleet)

    async def _take_back(self, services: Sequence[ServiceOptions], now: int) -> None:
        """What lies in the future was written before the clock was set back."""
        reach = await self._store.promises.reach()
        for service in services:
            if service.name in reach and reach[service.name].end > now:
                log.warning("The clock was set back: what %s was is written down anew.", service.name)
                await self._store.promises.take_back(service.name, now - GRACE_MS)

    # --- what is new ---

    async def _extend(self, services: Sequence[ServiceOptions], fleet: Fleet, until: int) -> None:
        """Piece by piece, those that are furthest behind first."""
        kept_from = await self._store.promises.samples_from()
        if kept_from is None:
            return
        reach = await self._store.promises.reach()
        await self._store.promises.looks_until(max([until, *(one.end for one in reach.values())]))
        stop_at = self._monotonic() + EXTEND_FOR_S
        while self._monotonic() < stop_at:
            reach = await self._store.promises.reach()
            starts = {service.name: _begin(reach, service.name, kept_from) for service in services}
            behind = [start for start in starts.values() if start < until]
            if not behind:
                return
            start = min(behind)
            some = [service for service in services if starts[service.name] == start]
            if start < kept_from:
                await self._skip(some, start, min(kept_from, until))
            else:
                others = [starts[service.name] for service in services if starts[service.name] > start]
                await self._write(some, fleet, start, min(until, start + PIECE_MS, *others))

    async def _skip(self, services: Sequence[ServiceOptions], start: int, end: int) -> None:
        """The collector was away for longer than samples are kept."""
        under = steady(start, end, UNKNOWN, NOT_KEPT)
        works = await self._works.all()
        await self._keep(
            {
                one.name: laid_over(
                    under, excluded_course(one, Range(start, end), works.spans(one.name, start, end))
                )
                for one in services
            }
        )

    async def _write(self, services: Sequence[ServiceOptions], fleet: Fleet, start: int, end: int) -> None:
        known = await self._below(services, start, end)
        await self._keep(await self._looking.courses(services, fleet, start, end, known))

    async def _keep(self, found: dict[str, Course]) -> None:
        """A few at a time, so that no commit waits long behind it."""
        names = list(found)
        for first in range(0, len(names), WRITTEN_AT_ONCE):
            some = names[first : first + WRITTEN_AT_ONCE]
            await self._store.promises.write({name: intervals_of(found[name]) for name in some})

    async def _below(self, services: Sequence[ServiceOptions], start: int, end: int) -> dict[str, Course]:
        """What is written down of those that these depend on, unless they are among them."""
        wanted = {name for service in services if service.depends_on for name in service.depends_on.services}
        wanted -= {service.name for service in services}
        return {name: await stored(self._store, name, start, end) for name in sorted(wanted)}

    # --- what came late ---

    async def _put_right(self, services: Sequence[ServiceOptions], fleet: Fleet) -> None:
        """Look again at the time that late batches speak for. What is noted stays noted until it is done."""
        late = await self._store.promises.late()
        if not late:
            return
        kept_from = await self._store.promises.samples_from()
        reach = await self._store.promises.reach()
        parts = {service.name: {host for host, _ in fleet.parts(service)} for service in services}
        members = set().union(*parts.values())
        ends = {one.host: await self._end_of(one) if one.host in members else one.end for one in late}
        for some in together(late, ends):
            touched = _touched(services, parts, {one.host for one in some})
            if touched and kept_from is not None:
                start, end = max(some[0].start, kept_from), max(ends[one.host] for one in some)
                await self._look_again(touched, fleet, start, end, reach)
            await self._store.promises.late_done(some)

    async def _end_of(self, late: LateRange) -> int:
        """A host that was heard for the first time by what came late is a part of the service from then on."""
        spoken = await self._store.promises.spoken(late.host, (), late.start, late.start + 1)
        return FAR if spoken.first_at == late.start else late.end

    async def _look_again(
        self, services: Sequence[ServiceOptions], fleet: Fleet, start: int, end: int, reach: dict[str, Reach]
    ) -> None:
        """Each of them only where it is written down already: the rest comes by itself."""
        spans = {
            one.name: (max(start, reach[one.name].start), min(end, reach[one.name].end))
            for one in services
            if one.name in reach
        }
        edges = sorted({edge for span in spans.values() if span[0] < span[1] for edge in span})
        for begin, until in _pieces(edges):
            some = [one for one in services if one.name in spans and _lies_in(begin, until, spans[one.name])]
            if some:
                await self._mend(some, fleet, begin, until)

    async def _mend(self, services: Sequence[ServiceOptions], fleet: Fleet, start: int, end: int) -> None:
        known = await self._below(services, start, end)
        fresh = await self._looking.courses(services, fleet, start, end, known)
        changed = {}
        for name, course in fresh.items():
            before = await stored(self._store, name, start, end)
            after = mended(before, course)
            if after != before:
                changed[name] = after
        await self._keep(changed)


def _lies_in(start: int, end: int, span: tuple[int, int]) -> bool:
    return span[0] <= start and end <= span[1]


def _begin(reach: dict[str, Reach], name: str, kept_from: int) -> int:
    """Where a service goes on; one that is new begins with the first sample that there is."""
    return reach[name].end if name in reach else kept_from


def _touched(
    services: Sequence[ServiceOptions], parts: Mapping[str, Set[int]], hosts: Set[int]
) -> list[ServiceOptions]:
    """Those that one of the hosts is a part of, and all that depend on them; in order, so that one pass finds them."""
    found: dict[str, ServiceOptions] = {}
    for service in services:
        below = service.depends_on.services if service.depends_on else ()
        if any(name in found for name in below) or not hosts.isdisjoint(parts[service.name]):
            found[service.name] = service
    return list(found.values())


def together(late: Sequence[LateRange], ends: Mapping[int, int]) -> list[list[LateRange]]:
    """Those that overlap, so that time which many hosts bring late is looked at once; each group by its start.

    `ends` is by host until when each speaks.
    """
    groups: list[list[LateRange]] = []
    reached = -FAR
    for one in sorted(late, key=lambda one: one.start):
        if one.start >= reached:
            groups.append([])
        groups[-1].append(one)
        reached = max(reached, ends[one.host])
    return groups


def _pieces(edges: Sequence[int]) -> list[tuple[int, int]]:
    """The spans between edges, none longer than PIECE_MS."""
    found = []
    for first, last in pairwise(edges):
        found += [(start, min(start + PIECE_MS, last)) for start in range(first, last, PIECE_MS)]
    return found
