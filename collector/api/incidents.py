"""Incidents: what a person would call one problem, all that is known of it, and what people do to it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from agent.wire import Evidence
from collector.api.alerts import NoteText, done
from collector.api.doors import Body, Door, Id, Query, Refusal, missing
from collector.api.kept import INCIDENTS
from collector.api.paging import Page, Paged, number_in, page_by_number
from collector.api.views import (
    AlertView,
    IncidentView,
    Instant,
    alert_view,
    incident_view,
    moment,
    ms_of,
)
from collector.desks.incidents import Acting
from collector.store import NoticeRow, Store
from collector.store.listing import IncidentsWanted
from collector.who import Permission, Who
from rules.judging.acts import (
    POSTMORTEM_CHARS_MAX,
    SERVICES_MAX,
    TEXT_CHARS_MAX,
    TITLE_CHARS_MAX,
    Acknowledge,
    Act,
    Assign,
    Changing,
    Edit,
    Note,
    Open,
    Publish,
    Resolve,
    Several,
    Snooze,
    Unacknowledge,
)
from rules.model import Remark, Severity, Transition

EVENTS_MAX = 1_000
NEEDS: dict[type[Act], Permission] = {
    Acknowledge: "monitoring.alert.acknowledge",
    Unacknowledge: "monitoring.alert.acknowledge",
    Snooze: "monitoring.alert.acknowledge",
    Resolve: "monitoring.alert.resolve",
}
"""What of a change takes a right of its own, besides that to change anything."""

Title = Annotated[str, Meta(min_length=1, max_length=TITLE_CHARS_MAX)]
Services = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=SERVICES_MAX)
]


class IncidentsAsked(Paged, frozen=True, kw_only=True):
    """Which incidents.

    state: open (acknowledged or not), resolved, or all
    severity: only those that are as grave as that
    acknowledged: only those that somebody has, or only those that nobody has
    sort: newest or oldest first
    """

    state: Literal["open", "resolved", "all"] = "all"
    severity: Severity | None = None
    acknowledged: bool | None = None
    sort: Literal["newest", "oldest"] = "newest"


class OneIncident(Query, frozen=True, kw_only=True):
    """Which incident.

    id: the number of the incident
    """

    id: Id


class NewIncident(Body, frozen=True, kw_only=True):
    """Something is wrong that no rule sees."""

    title: Title
    severity: Severity = "warning"
    text: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)] = ""
    services: Services = ()


class IncidentChange(Body, frozen=True, kw_only=True):
    """What is to be different; what is left out stays as it is. `state` acknowledges, takes that back, or resolves.

    `postmortem_upon` is the `postmortem_version` that was read before: where somebody saved another text meanwhile,
    nothing is changed (409, changed_meanwhile).
    """

    state: Literal["open", "acknowledged", "resolved"] | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    services: Services | UnsetType = UNSET
    assignee: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    snoozed_until: Instant | UnsetType = UNSET
    postmortem: Annotated[str, Meta(max_length=POSTMORTEM_CHARS_MAX)] | UnsetType = UNSET
    postmortem_upon: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    note: NoteText = ""


class NewNote(Body, frozen=True, kw_only=True):
    text: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]


class NewUpdate(Body, frozen=True, kw_only=True):
    """What everybody may read on the status page. The first line of an incident's first update is its name there."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]


class Event(Struct, frozen=True):
    """A line of an incident's timeline: something that people did, a rule's step, or a notice and what became of it.

    `by` is who did it, "watchkeeper" for what came by itself.
    """

    at: datetime
    kind: str
    by: str
    text: str
    late: bool = False


class EvidenceView(Struct, frozen=True):
    """What an agent found when it was asked to look closer."""

    alert: int
    host: int
    arrived_at: datetime
    found: Evidence


class IncidentDetails(Struct, frozen=True):
    """An incident and all that is known of it; of its timeline the newest EVENTS_MAX lines."""

    incident: IncidentView
    alerts: list[AlertView]
    timeline: list[Event]
    evidence: list[EvidenceView]


class Incidents:
    """`act` does to incidents what people want, and returns when that is on disk."""

    def __init__(self, store: Store, act: Acting) -> None:
        self._store, self._act = store, act

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/incidents", handler=self.search, needs="monitoring.read",
                summary="The incidents, newest first", query=IncidentsAsked, answer=Page[IncidentView],
                kept=lambda query: [INCIDENTS],
            ),
            Door(
                method="POST", path="/incidents", handler=self.create, needs="monitoring.incident.create",
                summary="Report a problem that no rule sees; it is told like any other", body=NewIncident,
                answer=IncidentView, status=201,
            ),
            Door(
                method="GET", path="/incidents/{id}", handler=self.get, needs="monitoring.read",
                summary="One incident: its alerts, its timeline, what agents found", query=OneIncident,
                answer=IncidentDetails,
            ),
            Door(
                method="PATCH", path="/incidents/{id}", handler=self.change, needs="monitoring.incident.update",
                summary="Change what is said of it, who cares for it, or how it stands", query=OneIncident,
                body=IncidentChange, answer=IncidentView, refusals=(409,), body_bytes_max=512 * 1024,
            ),
            Door(
                method="POST", path="/incidents/{id}/notes", handler=self.note,
                needs="monitoring.incident.update", summary="Write a line into its timeline",
                query=OneIncident, body=NewNote, answer=IncidentView, status=201,
            ),
            Door(
                method="POST", path="/incidents/{id}/updates", handler=self.publish,
                needs="monitoring.incident.update", summary="Write what everybody may read of it on the status page",
                query=OneIncident, body=NewUpdate, answer=IncidentView, status=201,
            ),
        ]  # fmt: skip

    async def search(self, who: Who, asked: IncidentsAsked, body: None) -> Page[IncidentView]:
        behind, oldest = number_in(asked.cursor), asked.sort == "oldest"
        wanted = IncidentsWanted(
            state=asked.state,
            severity=asked.severity,
            acknowledged=asked.acknowledged,
            below=None if oldest else behind,
            above=behind if oldest else None,
            oldest_first=oldest,
        )
        found = await self._store.listing.incidents(wanted, asked.limit + 1)
        return page_by_number(found, asked, lambda incident: incident.id, incident_view)

    async def get(self, who: Who, asked: OneIncident, body: None) -> IncidentDetails:
        store = self._store.incidents
        incident, alerts, evidence, hosts = await asyncio.gather(
            store.get(asked.id), store.alerts(asked.id), store.evidence(asked.id), self._store.hosts.all()
        )
        if incident is None:
            raise missing("incident", asked.id)
        names = {host.id: host.name for host in hosts}
        return IncidentDetails(
            incident_view(incident),
            [alert_view(alert, names, incident) for alert in alerts],
            await self._timeline(asked.id),
            [EvidenceView(row.alert, row.host, moment(row.arrived_at), row.found) for row in evidence],
        )

    async def _timeline(self, number: int) -> list[Event]:
        transitions, remarks, notices = await asyncio.gather(
            self._store.incidents.transitions(number),
            self._store.incidents.remarks(number),
            self._store.notices.recent(EVENTS_MAX, number),
        )
        events = [*map(_step, transitions), *map(_remark, remarks), *map(_notice, notices)]
        return sorted(events, key=lambda event: event.at)[-EVENTS_MAX:]

    async def create(self, who: Who, asked: Query, new: NewIncident) -> IncidentView:
        what = Open(new.title, new.severity, who.name, new.text, new.services)
        return incident_view(await done(self._act, what))

    async def change(self, who: Who, asked: OneIncident, change: IncidentChange) -> IncidentView:
        """All of it or, where one part cannot be, nothing."""
        acts = _acts(asked.id, who.name, change)
        for what in acts:
            if not who.may(needed := NEEDS.get(type(what))):
                raise Refusal(403, "right", f"{who.name} may not do all of this; it needs the right {needed}")
        if not acts:
            raise Refusal(
                422, "invalid", "nothing is to be different; say what, such as a title or an assignee"
            )
        whole = acts[0] if len(acts) == 1 else Several(asked.id, who.name, tuple(acts))
        return incident_view(await done(self._act, whole))

    async def note(self, who: Who, asked: OneIncident, new: NewNote) -> IncidentView:
        return incident_view(await done(self._act, Note(asked.id, who.name, new.text)))

    async def publish(self, who: Who, asked: OneIncident, new: NewUpdate) -> IncidentView:
        return incident_view(await done(self._act, Publish(asked.id, who.name, new.text)))


def _acts(number: int, by: str, change: IncidentChange) -> list[Changing | Resolve]:
    """What a change comes to, in the order in which it makes sense: how it stands, last."""
    acts: list[Changing | Resolve] = []
    fields = ("title", "severity", "services", "postmortem")
    edits = {name: value for name in fields if (value := getattr(change, name)) is not UNSET}
    if edits:
        upon = None if isinstance(change.postmortem_upon, UnsetType) else change.postmortem_upon
        acts.append(Edit(number, by, **edits, upon=upon))
    if not isinstance(change.assignee, UnsetType):
        acts.append(Assign(number, by, change.assignee))
    if not isinstance(change.snoozed_until, UnsetType):
        acts.append(Snooze(number, by, ms_of(change.snoozed_until, "snoozed_until")))
    match change.state:
        case "acknowledged":
            acts.append(Acknowledge(number, by, change.note))
        case "open":
            acts.append(Unacknowledge(number, by, change.note))
        case "resolved":
            acts.append(Resolve(number, by, change.note))
        case _ if change.note:
            acts.append(Note(number, by, change.note))
    return acts


def _step(step: Transition) -> Event:
    why = f", {step.why}" if step.why else ""
    text = f"{step.rule} about {step.subject}: {step.before} to {step.after}{why}"
    return Event(moment(step.at), "step", "watchkeeper", text, step.late)


def _remark(remark: Remark) -> Event:
    return Event(moment(remark.at), remark.kind, remark.by, remark.text)


def _notice(row: NoticeRow) -> Event:
    text = f"{row.notice.channel}: {row.notice.title}"
    return Event(moment(row.notice.created_at), f"notice {row.delivery}", "watchkeeper", text)
