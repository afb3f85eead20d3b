"""The status page for programs: the JSON that readers of other status pages know, made of public types alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from collector.web.public import PublicIncident, PublicState, PublicStatus, PublicWork
from collector.web.words import iso

Indicator = Literal["none", "maintenance", "unknown", "minor", "critical"]
ComponentStatus = Literal[
    "operational", "under_maintenance", "unknown", "degraded_performance", "major_outage"
]

INDICATORS: dict[PublicState, Indicator] = {
    "good": "none",
    "maintenance": "maintenance",
    "unknown": "unknown",
    "degraded": "minor",
    "bad": "critical",
}
COMPONENTS: dict[PublicState, ComponentStatus] = {
    "good": "operational",
    "maintenance": "under_maintenance",
    "unknown": "unknown",
    "degraded": "degraded_performance",
    "bad": "major_outage",
}


class Page(Struct, frozen=True):
    name: str
    url: str
    updated_at: str
    time_zone: str = "Etc/UTC"


class Standing(Struct, frozen=True):
    indicator: Indicator
    description: str


class Component(Struct, frozen=True):
    id: str
    name: str
    status: ComponentStatus
    uptime_90d: str


class Update(Struct, frozen=True):
    body: str
    created_at: str


class Incident(Struct, frozen=True):
    id: str
    name: str
    status: Literal["open", "resolved"]
    impact: Indicator
    created_at: str
    resolved_at: str | None
    components: tuple[str, ...]
    incident_updates: tuple[Update, ...]


class Maintenance(Struct, frozen=True):
    status: Literal["scheduled", "in_progress"]
    scheduled_for: str
    scheduled_until: str
    components: tuple[str, ...]


class Summary(Struct, frozen=True):
    """`incidents` are those that are open; what is over stands in the feed."""

    page: Page
    status: Standing
    components: list[Component]
    incidents: list[Incident]
    scheduled_maintenances: list[Maintenance]


def summary_of(status: PublicStatus, url: str) -> Summary:
    return Summary(
        Page(status.title, url, iso(status.made_at)),
        Standing(INDICATORS[status.state], status.headline),
        [Component(one.name, one.title, COMPONENTS[one.state], one.available) for one in status.services],
        _incidents(status.open),
        [_maintenance(work, status.made_at) for work in status.works],
    )


def _incidents(incidents: Sequence[PublicIncident]) -> list[Incident]:
    return [
        Incident(
            str(one.id),
            one.heading,
            "open" if one.resolved_at is None else "resolved",
            INDICATORS[one.state],
            iso(one.began_at),
            None if one.resolved_at is None else iso(one.resolved_at),
            one.services,
            tuple(Update(update.text, iso(update.at)) for update in one.updates),
        )
        for one in incidents
    ]


def _maintenance(work: PublicWork, now: int) -> Maintenance:
    state: Literal["scheduled", "in_progress"] = "in_progress" if work.start <= now else "scheduled"
    return Maintenance(state, iso(work.start), iso(work.end), work.services)
