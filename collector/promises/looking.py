"""What services were over a range, from the samples that are stored: which parts each has, and what those said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from agent.wire import series_name
from collector.promises.works import Works
from collector.store import Store
from collector.store.promises import Asked, Spoken
from rules.labels import fits
from rules.model import HOLDS, Host
from rules.sla.courses import FAR, Course, course_of, one_after_another, steady
from rules.sla.model import UNKNOWN, CheckPart, ServiceOptions
from rules.sla.timeline import (
    Answers,
    Group,
    Heard,
    Range,
    check_course,
    excluded_course,
    host_course,
    service_course,
)

PIECE_MS = 6 * 3_600_000
"""No longer range is looked at in one go."""
PARTS_AT_ONCE = 200
LISTENS_MS = 60_000
"""So long after it was last seen to listen, a collector is taken to listen still."""
NOT_KEPT = "the samples of that time are not kept"
NOT_WRITTEN = "there is no record of that time"


class Fleet(Struct, frozen=True):
    """Who can say something: hosts with their labels, their name as `host` among them, and the checks they have."""

    hosts: dict[int, Host]
    labels: dict[int, dict[str, str]]
    asked: dict[str, list[Asked]]

    def checking(self, part: CheckPart) -> list[Asked]:
        """Which hosts' word counts for a part."""
        return [
            asked
            for asked in self.asked.get(part.id, ())
            if asked.host in self.hosts and fits(part.where, self.labels[asked.host])
        ]

    def parts(self, service: ServiceOptions) -> list[tuple[int, str | None]]:
        """The hosts that a service is made of, each with its check, or None for the host itself."""
        found: list[tuple[int, str | None]] = [
            (asked.host, part.id) for part in service.checks for asked in self.checking(part)
        ]
        if service.hosts is not None:
            where = service.hosts.where
            found += [(host, None) for host in self.hosts if fits(where, self.labels[host])]
        return found


class Looking:
    """Looks at the store. It keeps nothing: what is asked twice is looked at twice."""

    def __init__(self, store: Store, works: Works) -> None:
        self._store, self._works = store, works

    async def fleet(self, services: Sequence[ServiceOptions]) -> Fleet:
        """StoreError."""
        ids = sorted({part.id for service in services for part in service.checks})
        asked: dict[str, list[Asked]] = {}
        for one in await self._store.promises.asked(ids):
            asked.setdefault(one.check, []).append(one)
        hosts = {host.id: host for host in await self._store.hosts.all() if not host.is_service}
        return Fleet(hosts, {number: host.binding_labels for number, host in hosts.items()}, asked)

    async def courses(
        self,
        services: Sequence[ServiceOptions],
        fleet: Fleet,
        start: int,
        end: int,
        known: Mapping[str, Course],
    ) -> dict[str, Course]:
        """What each was from `start` until before `end`, in that order; at most PIECE_MS. StoreError.

        What others depend on is among them and comes before them, or its course is `known`.
        """
        over = Range(start, end, await self._away(start, end))
        said, works = _Said(self._store, fleet, over, services), await self._works.all()
        found = dict(known)
        for service in services:
            groups = await self._groups(service, fleet, said, found)
            excluded = excluded_course(service, over, works.spans(service.name, start, end))
            found[service.name] = await _whole(groups, over, excluded)
        return {service.name: found[service.name] for service in services}

    async def _groups(
        self, service: ServiceOptions, fleet: Fleet, said: _Said, known: Mapping[str, Course]
    ) -> list[Group]:
        groups = []
        for part in service.checks:
            seen = [await said.check(asked, service) for asked in fleet.checking(part)]
            groups.append(Group(tuple(seen), part.need))
        if service.hosts is not None:
            members = [
                host
                for number, host in fleet.hosts.items()
                if fits(service.hosts.where, fleet.labels[number])
            ]
            groups.append(Group(tuple([await said.host(host) for host in members]), service.hosts.need))
        if service.depends_on is not None:
            below = tuple(_as_part(name, known[name]) for name in service.depends_on.services)
            groups.append(Group(below, service.depends_on.need))
        return groups

    async def listened_until(self) -> int:
        """When it was noted last that the collector listens; long ago when it never was. StoreError."""
        return (await self._store.promises.away(0, FAR))[-1][0]

    async def _away(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """When nobody listened. A collector that was seen a moment ago listens still."""
        *between, (seen_at, _) = await self._store.promises.away(start - LISTENS_MS, FAR)
        spans = [*between, (seen_at + LISTENS_MS, FAR)]
        return tuple(
            (max(begin, start), min(until, end)) for begin, until in spans if begin < end and until > start
        )


class _Said:
    """What hosts said in a range, each host read once for all that is asked of it."""

    def __init__(self, store: Store, fleet: Fleet, over: Range, services: Sequence[ServiceOptions]) -> None:
        self._store, self._fleet, self._over = store, fleet, over
        self._spoken: dict[int, Spoken] = {}
        self._wanted: dict[int, set[str]] = {}
        for service in services:
            for asked in (asked for part in service.checks for asked in fleet.checking(part)):
                self._wanted.setdefault(asked.host, set()).update(_series_of(asked, service))

    async def host(self, host: Host) -> Course:
        return host_course(host.name, _heard(await self._of(host.id)), self._over)

    async def check(self, asked: Asked, service: ServiceOptions) -> Course:
        spoken, latency = await self._of(asked.host), service.latency
        state, *took = _series_of(asked, service)
        at, states = spoken.series[state]
        slow_at, limit = np.empty(0, dtype=np.int64), ""
        if latency is not None:
            times, ms = spoken.series[took[0]]
            slow_at, limit = times[ms > latency.limit_ms], f"{latency.limit_ms:g} ms"
        name = self._fleet.hosts[asked.host].name
        return check_course(
            asked.check, name, _heard(spoken), Answers(at, states, slow_at), self._over, limit
        )

    async def _of(self, host: int) -> Spoken:
        """What a host said, from so long before the range as a sample of it may hold."""
        if host not in self._spoken:
            names, every_ms = sorted(self._wanted.get(host, ())), self._fleet.hosts[host].every_ms
            start = self._over.start - int(HOLDS * every_ms) - 1
            self._spoken[host] = await self._store.promises.spoken(host, names, start, self._over.end)
        return self._spoken[host]


def _series_of(asked: Asked, service: ServiceOptions) -> list[str]:
    """The series that say how a check of a host stands and, where speed is promised, how long it took."""
    names = [series_name("check_state", {"check": asked.check, "kind": asked.kind})]
    if service.latency is not None:
        names.append(series_name(service.latency.metric, {"check": asked.check}))
    return names


async def _whole(groups: Sequence[Group], over: Range, excluded: Course) -> Course:
    """A service of many parts is put together beside the event loop: of ten thousand it takes a tenth of a second."""
    if sum(len(group.parts) for group in groups) <= PARTS_AT_ONCE:
        return service_course(groups, over, excluded)
    return await asyncio.to_thread(service_course, groups, over, excluded)


def _heard(spoken: Spoken) -> Heard:
    return Heard(spoken.at, spoken.every_ms, spoken.first_at)


def _as_part(name: str, below: Course) -> Course:
    """A service as a part of another says its own name with each cause."""
    return Course(
        below.end,
        below.at,
        below.codes,
        below.why,
        tuple(f"{name}: {cause}" if cause else "" for cause in below.causes),
        below.mended,
    )


async def stored(store: Store, service: str, start: int, end: int) -> Course:
    """What is written down of a service, and that there is nothing where nothing is. StoreError."""
    rows = await store.promises.intervals(service, start, end)
    if not rows:
        return steady(start, end, UNKNOWN, NOT_WRITTEN)
    pieces = [course_of(rows)]
    if rows[0].start > start:
        pieces.insert(0, steady(start, rows[0].start, UNKNOWN, NOT_WRITTEN))
    if rows[-1].end < end:
        pieces.append(steady(rows[-1].end, end, UNKNOWN, NOT_WRITTEN))
    return one_after_another(pieces)
