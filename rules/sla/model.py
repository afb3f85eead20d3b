"""What a service is made of and what is promised of it, as people write it; and what it was, as it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from rules.times.calendar import times
from rules.times.zones import zone_named

Class = Literal["up", "degraded", "down", "maintenance", "unknown", "outside"]
CLASSES: tuple[Class, ...] = ("up", "degraded", "down", "maintenance", "unknown", "outside")
UP, DEGRADED, DOWN, MAINTENANCE, UNKNOWN, OUTSIDE = range(len(CLASSES))
"""What a service can be; `outside` is time that is not promised: that beyond its business hours."""
EXCLUDED = (MAINTENANCE, OUTSIDE)
"""What somebody said beforehand does not count. It is kept as it was said, whatever samples come in late."""

Span = Literal["24h", "7d", "30d", "90d", "month", "quarter", "year"]
SPANS: tuple[Span, ...] = ("24h", "7d", "30d", "90d", "month", "quarter", "year")
Need = Literal["all", "any"] | Annotated[int, Meta(ge=1)]
Labels = dict[str, str | list[str]]

SERVICES_MAX = 200
PARTS_MAX = 100
"""Entries of one list in a service; how many hosts each of them means is another matter."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


class CheckPart(Struct, kw_only=True, frozen=True):
    """A check that says how the service is, asked from one host or several.

    id: the check's name
    from: the hosts whose word counts, by label; `host` is a host's name, * stands for anything, {} means every host
    need: of how many of them it must be well: all, any, or a number
    """

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    where: Labels = msgspec.field(name="from", default_factory=dict)
    need: Need = "all"


class HostPart(Struct, kw_only=True, frozen=True):
    """Hosts that must be there: one that nobody hears is down, unless it was we who did not listen.

    where: which, by label; `host` is a host's name, and * stands for anything
    need: how many of them must be there: all, any, or a number
    """

    where: Labels
    need: Need = "all"


class ServicePart(Struct, kw_only=True, frozen=True):
    """Services that this one stands on.

    services: their names
    need: how many of them must be well: all, any, or a number
    """

    services: Annotated[list[str], Meta(min_length=1, max_length=PARTS_MAX)]
    need: Need = "all"

    def __post_init__(self) -> None:
        if not isinstance(self.need, str) and self.need > len(self.services):
            raise ValueError(
                f"need: {self.need} of {len(self.services)} services can never be well; write fewer"
            )


class LatencyOptions(Struct, kw_only=True, frozen=True):
    """A promise about speed; an answer that takes longer makes the service degraded, not down.

    limit: how long an answer may take
    share_pct: of the time in which it answers, how much must be within that
    metric: the series, of each check, that says how long its answer took
    """

    limit_ms: Annotated[float, Meta(gt=0)] = 100.0
    share_pct: Annotated[float, Meta(gt=0, lt=100)] = 99.0
    metric: str = "http_total_ms"


class ServiceOptions(Struct, kw_only=True, frozen=True):
    """Something that is promised to others. All of its parts must be well for it to be well.

    name: what it is called in series, addresses and commands
    title: what people call it
    checks: the checks that say how it is
    hosts: the hosts that must be there
    depends_on: the services that it stands on
    objective_pct: how much of the time it is to be available; null promises nothing and only counts
    latency: how fast it is to answer
    window: what is promised over: 24h, 7d, 30d, 90d, month, quarter or year
    hours: when it is promised, such as [Mon-Fri 08:00 to 18:00]; always, when left out
    maintenance: when it is worked on, such as [Sunday 02:00 to 04:00]; that time does not count
    zone: whose midnight begins a month, and whose clock messages are written by
    unknown: whether time of which nothing is known is left out (excluded) or counts as down
    """

    name: str
    title: str = ""
    checks: Annotated[list[CheckPart], Meta(max_length=PARTS_MAX)] = []
    hosts: HostPart | None = None
    depends_on: ServicePart | None = None
    objective_pct: Annotated[float, Meta(gt=0, lt=100)] | None = 99.9
    latency: LatencyOptions | None = None
    window: Span = "30d"
    hours: list[str] = []
    maintenance: list[str] = []
    zone: str = "UTC"
    unknown: Literal["excluded", "down"] = "excluded"

    def __post_init__(self) -> None:
        see_that_it_is_a_name(self.name)
        if not (self.checks or self.hosts or self.depends_on):
            raise ValueError(f"say what {self.name} is made of: checks, hosts or depends_on")
        zone_named(self.zone)
        for written in (self.hours, self.maintenance):
            if written:
                times(written, self.zone)

    @property
    def called(self) -> str:
        return self.title or self.name


def see_that_it_is_a_name(text: str) -> None:
    """ValueError when no service can be called that in series, addresses and commands."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f'"{text:.100}" cannot be the name of a service; use letters, digits, dots and dashes, '
            "and put what people call it into title"
        )


class Interval(Struct, frozen=True):
    """What a service was from `start` until before `end`, and why; up needs no cause.

    `repaired`: batches that came late showed it to be otherwise than it was first written down.
    """

    start: int
    end: int
    state: Class
    cause: str = ""
    repaired: bool = False

    @property
    def ms(self) -> int:
        return self.end - self.start


class Tally(Struct, frozen=True):
    """How long a service was what, in milliseconds; every one of the window is in exactly one of them."""

    up: int = 0
    degraded: int = 0
    down: int = 0
    maintenance: int = 0
    unknown: int = 0
    outside: int = 0

    @property
    def whole(self) -> int:
        return sum(msgspec.structs.astuple(self))

    def __add__(self, other: Tally) -> Tally:
        ours, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Tally(*(mine + more for mine, more in zip(ours, theirs, strict=True)))


def in_order(services: Sequence[ServiceOptions]) -> list[ServiceOptions]:
    """Each after those it depends on. ValueError for a name that is there twice or not at all, and for a circle."""
    named = {service.name: service for service in services}
    if len(named) < len(services):
        names = [service.name for service in services]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'there are two services called "{twice}"; rename one')
    placed: dict[str, ServiceOptions] = {}
    for service in services:
        _place(service, named, placed, ())
    return list(placed.values())


def _place(
    service: ServiceOptions,
    named: Mapping[str, ServiceOptions],
    placed: dict[str, ServiceOptions],
    above: tuple[str, ...],
) -> None:
    if service.name in placed:
        return
    if service.name in above:
        circle = " -> ".join((*above[above.index(service.name) :], service.name))
        raise ValueError(f"services depend on each other in a circle: {circle}; leave one of the arrows out")
    for name in service.depends_on.services if service.depends_on else ():
        if name not in named:
            raise ValueError(
                f'"{service.name}" depends on "{name:.100}", and there is no service of that name'
            )
        _place(named[name], named, placed, (*above, service.name))
    placed[service.name] = service
