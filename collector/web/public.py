"""All that the status page may say to anybody, in whatever form: built here, from nothing but states, counts, times,
the titles of services, and what a person wrote for the public.

No name of a host, no label, no cause, no word of an alert or a maintenance comes into these types, so none can leave by
them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from collector.store import DAY_MS, Latest
from collector.store.promises import Day
from rules.fleet.state import is_silent
from rules.model import Alert, Incident, Remark
from rules.sla.budget import availability_pct
from rules.sla.model import Class, ServiceOptions, Tally

PublicState = Literal["good", "maintenance", "unknown", "degraded", "bad"]

DAYS = 90
"""How far back the page looks, whatever it speaks of."""
MATTERS_MS = 60_000
"""What lasted for less than this does not colour a day."""
INCIDENTS_MAX = 50
TEXT_LETTERS_MAX = 4_000

RANK: dict[PublicState, int] = {"good": 0, "maintenance": 1, "unknown": 2, "degraded": 3, "bad": 4}
HEADLINES: dict[PublicState, str] = {
    "good": "All systems work",
    "maintenance": "Work is under way, as announced",
    "unknown": "Of some systems nothing is known at the moment",
    "degraded": "Some systems are degraded",
    "bad": "Some systems do not work",
}
WORDS: dict[PublicState, str] = {
    "good": "works",
    "maintenance": "in maintenance",
    "unknown": "unknown",
    "degraded": "degraded",
    "bad": "does not work",
}
_STATES: dict[Class, PublicState] = {
    "up": "good",
    "outside": "good",
    "degraded": "degraded",
    "down": "bad",
    "maintenance": "maintenance",
    "unknown": "unknown",
}


class PublicDay(Struct, frozen=True):
    """A day in UTC, and for how long of it the service was not simply well; `known` once anything is known of it."""

    start: int
    state: PublicState
    known: bool = False
    bad_ms: int = 0
    degraded_ms: int = 0
    maintenance_ms: int = 0
    unknown_ms: int = 0


class PublicService(Struct, frozen=True):
    """`available` is over the days shown, such as `99.953 %`; never rounded up."""

    name: str
    title: str
    state: PublicState
    available: str
    days: tuple[PublicDay, ...]


class PublicUpdate(Struct, frozen=True):
    at: int
    text: str


class PublicIncident(Struct, frozen=True):
    """One of which a person told everybody; the newest update first."""

    id: int
    heading: str
    state: PublicState
    began_at: int
    resolved_at: int | None
    services: tuple[str, ...]
    updates: tuple[PublicUpdate, ...]


class PublicWork(Struct, frozen=True):
    """Announced maintenance of these services."""

    services: tuple[str, ...]
    start: int
    end: int


class PublicSystems(Struct, frozen=True):
    """Where no service is named yet, there is only this to say."""

    state: PublicState
    systems: int
    working: int
    troubled: int
    unknown: int


class PublicStatus(Struct, frozen=True):
    """All of it. `made_at` is a whole minute, so that what did not change is byte for byte the same for as long."""

    title: str
    state: PublicState
    headline: str
    made_at: int
    services: tuple[PublicService, ...] = ()
    incidents: tuple[PublicIncident, ...] = ()
    works: tuple[PublicWork, ...] = ()
    systems: PublicSystems | None = None

    @property
    def open(self) -> list[PublicIncident]:
        return [one for one in self.incidents if one.resolved_at is None]

    @property
    def past(self) -> list[PublicIncident]:
        return [one for one in self.incidents if one.resolved_at is not None]


def public_status(
    title: str,
    services: Sequence[PublicService],
    incidents: Sequence[PublicIncident],
    works: Sequence[PublicWork],
    systems: PublicSystems | None,
    now: int,
) -> PublicStatus:
    """The worst of what is told is what the banner says."""
    open_ones = [one.state for one in incidents if one.resolved_at is None]
    told: list[PublicState] = [*(one.state for one in services), *open_ones]
    if systems is not None:
        told.append(systems.state)
    state: PublicState = max(told, key=lambda one: RANK[one], default="unknown")
    watched = services or (systems is not None and systems.systems)
    headline = HEADLINES[state] if watched else "Nothing is watched yet"
    made_at = now - now % 60_000
    return PublicStatus(
        title, state, headline, made_at, tuple(services), tuple(incidents), tuple(works), systems
    )


# --- services ---------------------------------------------------------------------------------------------------------


def public_service(service: ServiceOptions, state: Class, days: Sequence[Day], now: int) -> PublicService:
    """`days` are those of which something is written down."""
    first = now // DAY_MS * DAY_MS - (DAYS - 1) * DAY_MS
    by_start = {day.start: day.tally for day in days if day.start >= first}
    whole = sum(by_start.values(), Tally())
    return PublicService(
        service.name,
        service.called,
        _STATES[state],
        available(availability_pct(whole, service)),
        tuple(public_day(start, by_start.get(start)) for start in range(first, now + 1, DAY_MS)),
    )


def public_day(start: int, tally: Tally | None) -> PublicDay:
    """A day is called by the worst that lasted for MATTERS_MS; unknown when most of what there is of it is."""
    if tally is None or not tally.whole:
        return PublicDay(start, "unknown")
    state: PublicState = "good"
    if tally.down >= MATTERS_MS:
        state = "bad"
    elif tally.degraded >= MATTERS_MS:
        state = "degraded"
    elif 2 * tally.unknown > tally.whole:
        state = "unknown"
    elif tally.maintenance >= MATTERS_MS:
        state = "maintenance"
    return PublicDay(start, state, True, tally.down, tally.degraded, tally.maintenance, tally.unknown)


def available(pct: float | None) -> str:
    """To three decimals, cut off: a promise that was not kept is not rounded up to one that was."""
    return "–" if pct is None else f"{math.floor(pct * 1000 + 1e-6) / 1000:.3f} %"


# --- incidents and work -----------------------------------------------------------------------------------------------


def public_incidents(
    incidents: Iterable[Incident], published: Sequence[Remark], titles: Mapping[str, str], now: int
) -> list[PublicIncident]:
    """Those of which a person told everybody, the newest first; resolved ones for as long as the page looks back.
    `published` is all that was, the newest first; `titles` are the services that are shown, by name."""
    found = []
    for incident in incidents:
        own = [
            remark for remark in published if remark.incident == incident.id and remark.kind == "published"
        ]
        gone = incident.resolved_at is not None and incident.resolved_at < now - DAYS * DAY_MS
        if own and not gone:
            found.append(_incident(incident, own, titles))
    return sorted(found, key=lambda one: (one.began_at, one.id), reverse=True)[:INCIDENTS_MAX]


def _incident(incident: Incident, own: Sequence[Remark], titles: Mapping[str, str]) -> PublicIncident:
    heading, _, rest = _plain(own[-1].text).partition("\n")
    told = [PublicUpdate(remark.at, _plain(remark.text)) for remark in own[:-1]]
    if rest.strip():
        told.append(PublicUpdate(own[-1].at, rest.strip()))
    return PublicIncident(
        incident.id,
        heading,
        "bad" if incident.severity == "critical" else "degraded",
        incident.opened_at,
        incident.resolved_at,
        tuple(titles[name] for name in incident.services if name in titles),
        tuple(told),
    )


def _plain(text: str) -> str:
    """Without what XML cannot hold and nobody can read."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n").strip()[
        :TEXT_LETTERS_MAX
    ]


def public_works(
    spans: Mapping[str, Iterable[tuple[int, int]]], titles: Mapping[str, str]
) -> list[PublicWork]:
    """Spans of work by service, as one announcement for all services that share it; the next first."""
    shared: dict[tuple[int, int], list[str]] = {}
    for name, own in spans.items():
        for span in sorted(set(own)):
            shared.setdefault(span, []).append(titles[name])
    return [PublicWork(tuple(names), *span) for span, names in sorted(shared.items())]


# --- where no service is named ----------------------------------------------------------------------------------------


def public_systems(
    latests: Sequence[Latest], incidents: Sequence[Incident], alerts: Sequence[Alert], now: int
) -> PublicSystems:
    """What can be said of hosts alone. Information for the operators (severity info) is no trouble of the systems, and
    a host that was stopped as planned is none of them, nor is a service that posts metrics: what it runs on is."""
    latests = [latest for latest in latests if not (latest.host.has_stopped or latest.host.is_service)]
    grave = {alert.host for alert in alerts if alert.severity != "info"}
    silent = {latest.host.id for latest in latests if is_silent(latest.host, now)}
    troubled = {latest.host.id for latest in latests if latest.host.id in grave} - silent
    systems = len(latests)
    counted = [incident for incident in incidents if incident.severity != "info"]
    working = systems - len(silent) - len(troubled)
    return PublicSystems(_state(systems, silent, counted), systems, working, len(troubled), len(silent))


def _state(systems: int, silent: set[int], incidents: Sequence[Incident]) -> PublicState:
    if not systems or len(silent) == systems:
        return "unknown"
    if any(incident.severity == "critical" for incident in incidents):
        return "bad"
    if incidents:
        return "degraded"
    return "unknown" if silent else "good"
