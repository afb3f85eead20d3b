"""How services stand: what is written down, and what has happened since, which is looked at when it is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from collector.promises.looking import NOT_WRITTEN, PIECE_MS, Fleet, Looking, stored
from collector.promises.works import Works
from collector.store import DAY_MS, LIST_MAX, Store
from collector.store.promises import Day, Reach
from rules.model import Alert, Incident
from rules.sla.burn import WINDOWS, rates
from rules.sla.courses import Course, intervals_of, one_after_another, steady, tally
from rules.sla.model import UNKNOWN, Interval, ServiceOptions, Span, Tally
from rules.sla.periods import month, period
from rules.sla.report import Part, Report, report_of, with_incidents
from rules.sla.summary import Outage, Summary, counts_as_down, outages, summary_of

TAIL_MS_MAX = DAY_MS
"""Of a collector that was away for longer, what is asked for beside it is known no further."""
BURN_MS = max(WINDOWS.values())


class NotThere(ValueError):
    """There is no such service, or nothing is known of it for that time; the sentence says which."""


class Accounts:
    """Reads only, so that it can be asked beside a collector too. `services` gives them in order of dependence."""

    def __init__(
        self, store: Store, services: Callable[[], Awaitable[list[ServiceOptions]]], works: Works
    ) -> None:
        self._store, self._services = store, services
        self._looking = Looking(store, works)

    async def summaries(self, span: Span | None, now: int) -> list[Summary]:
        """Every service of which something is known, over one span or over the one that each is promised over, in name
        order. StoreError."""
        there = await self._there(now)
        found = [await self._summary(one, span, now) for one in there]
        return sorted(found, key=lambda one: one.service)

    async def summary(self, name: str, span: Span | None, now: int) -> Summary:
        """NotThere, StoreError."""
        return await self._summary(await self._one(name, now), span, now)

    async def timeline(self, name: str, start: int, end: int, now: int) -> list[Interval]:
        """What is known of a range. NotThere, StoreError."""
        return await (await self._one(name, now)).intervals(start, min(end, now))

    async def days(self, name: str, count: int, now: int) -> list[Day]:
        """The last so many days in UTC as far as they are written down, today's among them. StoreError."""
        first = now // DAY_MS * DAY_MS - (count - 1) * DAY_MS
        return await self._store.promises.days(name, first, now)

    async def report(self, name: str, when: str, now: int) -> Report:
        """Of a month such as 2026-10. ValueError when it is none; NotThere, StoreError."""
        one = await self._one(name, now)
        over = month(when, one.service.zone)
        until = min(over.end, one.end)
        if until <= max(over.start, one.start):
            raise NotThere(f"nothing is known of {name} in {over.called}")
        intervals = intervals_of(await one.course(over.start, until))
        about = await self._incidents(over.start, over.end)
        return report_of(one.service, over, now, intervals, about, one.parts)

    async def outages(self, name: str, since: int, now: int) -> list[Outage]:
        """From then until now, oldest first, each with the incident that was about it. NotThere, StoreError."""
        one = await self._one(name, now)
        troubles = await one.intervals(since, one.end, but_up=True)
        found = outages([trouble for trouble in troubles if counts_as_down(trouble, one.service)])
        about = await self._incidents(found[0].start, now) if found else []
        return with_incidents(name, found, about, one.parts)

    # --- one service ---

    async def _summary(self, one: _Known, span: Span | None, now: int) -> Summary:
        window = span or one.service.window
        over = period(window, now, one.service.zone)
        until = min(over.end, now)
        troubles = await one.intervals(over.start, until, but_up=True)
        lately = await one.course(now - BURN_MS, now)
        burning = rates(one.service, now, lambda start, end: _within(lately, start, end))
        tally, latest = await one.tally(over.start, until), await one.latest()
        rates_of = burning.by_window
        return summary_of(one.service, window, over, now, troubles, latest, tally, rates_of, one.start)

    async def _one(self, name: str, now: int) -> _Known:
        there = await self._there(now, only=name)
        if there:
            return there[0]
        names = [service.name for service in await self._services()]
        if name in names:
            raise NotThere(f"nothing is known of {name} yet; ask again in a minute")
        raise NotThere(f'there is no service "{name:.100}"; there are: {", ".join(names) or "none"}')

    async def _there(self, now: int, only: str | None = None) -> list[_Known]:
        """Services of which something is written down, with what has happened since."""
        services = await self._services()
        reach = await self._store.promises.reach()
        there = [one for one in services if one.name in reach and reach[one.name].end <= now]
        if only is not None:
            there = _with_what_is_below(there, only)
        if not there:
            return []
        fleet = await self._looking.fleet(there)
        tails = await self._tails(there, fleet, reach, now)
        return [
            _Known(self._store, one, _parts(there, fleet, one.name), reach[one.name], tails.get(one.name))
            for one in there
            if only in (None, one.name)
        ]

    async def _tails(
        self, services: Sequence[ServiceOptions], fleet: Fleet, reach: dict[str, Reach], now: int
    ) -> dict[str, Course]:
        """What has happened since it was written down last, up to now; those that are far behind have none."""
        near = [one for one in services if now - TAIL_MS_MAX <= reach[one.name].end < now]
        pieces: dict[str, list[Course]] = {service.name: [] for service in near}
        start = min((reach[one.name].end for one in near), default=now)
        for begin in range(start, now, PIECE_MS):
            end = min(begin + PIECE_MS, now)
            below = {name for one in near if one.depends_on for name in one.depends_on.services} - set(pieces)
            known = {name: await stored(self._store, name, begin, end) for name in sorted(below)}
            for name, course in (await self._looking.courses(near, fleet, begin, end, known)).items():
                pieces[name].append(course)
        return {
            name: one_after_another(found).cut(reach[name].end, now)
            for name, found in pieces.items()
            if found
        }

    async def _incidents(self, start: int, end: int) -> list[tuple[Incident, list[Alert]]]:
        """Those that were open at some time in the range, with their alerts."""
        return [
            (incident, await self._store.incidents.alerts(incident.id))
            for incident in await self._store.incidents.recent(LIST_MAX)
            if incident.opened_at < end and (incident.resolved_at is None or incident.resolved_at > start)
        ]


class _Known:
    """What is known of one service: what is written down, and `tail` after that. `parts` are all that it stands on."""

    def __init__(
        self, store: Store, service: ServiceOptions, parts: set[Part], reach: Reach, tail: Course | None
    ) -> None:
        self._store, self.service, self.parts = store, service, parts
        self.start, self._written, self._tail = reach.start, reach.end, tail

    @property
    def end(self) -> int:
        return self._written if self._tail is None else self._tail.end

    # The collector may write on while we read: what is written down counts up to where our own look begins.

    async def intervals(self, start: int, end: int, *, but_up: bool = False) -> list[Interval]:
        """Within the range, so far as it is known."""
        until = min(end, self._written)
        found = await self._store.promises.intervals(self.service.name, start, until, but_up=but_up)
        if self._tail is not None and start < self._tail.end and self._tail.start < end:
            tail = self._tail.cut(max(start, self._tail.start), min(end, self._tail.end))
            found += [one for one in intervals_of(tail) if not (but_up and one.state == "up")]
        return _joined(found)

    async def tally(self, start: int, end: int) -> Tally:
        whole = await self._store.promises.tally(self.service.name, start, min(end, self._written))
        return whole if self._tail is None else whole + _within(self._tail, start, end)

    async def latest(self) -> Interval:
        """What it is at the end of what is known, from when it began to be."""
        latest = await self._store.promises.latest(self.service.name, self._written)
        known = intervals_of(self._tail) if self._tail is not None else []
        if latest is not None:
            cut = Interval(latest.start, self._written, latest.state, latest.cause, latest.repaired)
            known = _joined([cut, *known])
        return known[-1]

    async def course(self, start: int, end: int) -> Course:
        """All of the range; where nothing is known, that it is not."""
        if self._tail is None:
            return await stored(self._store, self.service.name, start, end)
        first, last = (min(max(edge, start), end) for edge in (self._tail.start, self._tail.end))
        pieces = []
        if start < first:
            pieces.append(await stored(self._store, self.service.name, start, first))
        if first < last:
            pieces.append(self._tail.cut(first, last))
        if last < end:
            pieces.append(steady(last, end, UNKNOWN, NOT_WRITTEN))
        return one_after_another(pieces)


def _within(course: Course, start: int, end: int) -> Tally:
    """Of the part of a course that lies in the range."""
    begin, until = max(start, course.start), min(end, course.end)
    return tally(course.cut(begin, until)) if begin < until else Tally()


def _joined(intervals: Sequence[Interval]) -> list[Interval]:
    """Where what is written down goes on as before, it is one."""
    found: list[Interval] = []
    for one in intervals:
        if found and replace(found[-1], start=found[-1].end, end=one.end) == one:
            found[-1] = replace(found[-1], end=one.end)
        else:
            found.append(one)
    return found


def _with_what_is_below(services: Sequence[ServiceOptions], name: str) -> list[ServiceOptions]:
    """That one and all that it stands on, in order."""
    wanted = {name}
    for service in reversed(services):
        if service.name in wanted and service.depends_on:
            wanted.update(service.depends_on.services)
    return [service for service in services if service.name in wanted]


def _parts(services: Sequence[ServiceOptions], fleet: Fleet, name: str) -> set[Part]:
    return {part for service in _with_what_is_below(services, name) for part in fleet.parts(service)}
