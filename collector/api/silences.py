"""Silences and planned maintenance: of which problems nobody wants to hear for a while, and who said so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from collector.api.doors import Body, Door, Id, Query, Refusal
from collector.api.paging import Page, Paged, page_of
from collector.api.views import Instant, Span, moment, ms_of, span_ms
from collector.desks.policies import SILENCE_MS_MAX, Policies
from collector.who import Who
from rules.model import Severity
from rules.policy import Match, Planned, Silence

Pattern = Annotated[str, Meta(min_length=1, max_length=200)]
Patterns = Annotated[tuple[Pattern, ...], Meta(max_length=50)]
Labels = Annotated[
    dict[Annotated[str, Meta(max_length=200)], Pattern | Annotated[list[Pattern], Meta(max_length=50)]],
    Meta(max_length=20),
]
Times = Annotated[str, Meta(min_length=1, max_length=200)]


class Matching(Body, frozen=True, kw_only=True):
    """Which problems are meant; what is left out may be anything, and all that is given must fit. * stands for
    anything. `where` are labels of hosts, `host` is a host's name."""

    where: Labels = field(default_factory=dict)
    from_severity: Severity = "info"
    rules: Patterns = ()
    categories: Patterns = ()
    services: Patterns = ()
    subject: Annotated[str, Meta(max_length=1_000)] = ""


class NewSilence(Matching, frozen=True, kw_only=True):
    """It begins now, unless `start` says otherwise, and ends at `end` or after `for`. One that is about everything says
    so: `everything`."""

    start: Instant | None = None
    end: Instant | None = None
    lasts: Span | None = field(default=None, name="for")
    comment: Annotated[str, Meta(max_length=1_000)] = ""
    everything: bool = False


class SilenceView(Struct, frozen=True):
    id: int
    state: Literal["waiting", "active", "over"]
    start: datetime
    end: datetime
    by: str
    comment: str
    matching: Matching


class NewMaintenance(Matching, frozen=True, kw_only=True):
    """`when` is a time, or several, once or again and again: `Saturday 22:00 to Sunday 06:00`."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    when: Times | Annotated[tuple[Times, ...], Meta(min_length=1, max_length=50)]


class MaintenanceView(Struct, frozen=True):
    id: int
    name: str
    when: str | tuple[str, ...]
    by: str
    matching: Matching


class OneSilence(Query, frozen=True, kw_only=True):
    """Which silence.

    id: the number of the silence
    """

    id: Id


class OneMaintenance(Query, frozen=True, kw_only=True):
    """Which maintenance.

    id: the number of the maintenance
    """

    id: Id


class SilencesAsked(Paged, frozen=True, kw_only=True):
    """Which silences.

    state: waiting for their beginning, active, or over
    """

    state: Literal["waiting", "active", "over"] | None = None


class Silences:
    def __init__(self, policies: Policies, now_ms: Callable[[], int]) -> None:
        self._policies, self._now_ms = policies, now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/silences", handler=self.silences, needs="monitoring.read",
                summary="Of which problems nobody is told for a while", query=SilencesAsked,
                answer=Page[SilenceView],
            ),
            Door(
                method="POST", path="/silences", handler=self.silence, needs="monitoring.write",
                summary="Have nobody told of such problems for a while", body=NewSilence,
                answer=SilenceView, status=201,
            ),
            Door(
                method="DELETE", path="/silences/{id}", handler=self.end, needs="monitoring.write",
                summary="End a silence now", query=OneSilence, answer=SilenceView,
            ),
            Door(
                method="GET", path="/maintenance", handler=self.maintenance, needs="monitoring.read",
                summary="What is planned, besides what the config holds", query=Paged,
                answer=Page[MaintenanceView],
            ),
            Door(
                method="POST", path="/maintenance", handler=self.plan, needs="monitoring.write",
                summary="Plan a time in which work is done", body=NewMaintenance, answer=MaintenanceView,
                status=201,
            ),
            Door(
                method="DELETE", path="/maintenance/{id}", handler=self.drop, needs="monitoring.write",
                summary="Take a plan back", query=OneMaintenance, answer=MaintenanceView,
            ),
        ]  # fmt: skip

    # --- silences ---

    async def silences(self, who: Who, asked: SilencesAsked, body: None) -> Page[SilenceView]:
        now = self._now_ms()
        views = [_silence(one, now) for one in self._policies.silences]
        wanted = [view for view in views if asked.state in (None, view.state)]
        return page_of(wanted, asked, lambda view: (float(-view.id), view.id), lambda view: view)

    async def silence(self, who: Who, asked: Query, new: NewSilence) -> SilenceView:
        now = self._now_ms()
        start = now if new.start is None else ms_of(new.start, "start")
        wanted = Silence(**_match(new), start=start, end=_end(new, start), by=who.name, comment=new.comment)
        return _silence(await self._policies.add_silence(who, wanted, everything=new.everything), now)

    async def end(self, who: Who, asked: OneSilence, body: None) -> SilenceView:
        return _silence(await self._policies.end_silence(who, asked.id), self._now_ms())

    # --- maintenance ---

    async def maintenance(self, who: Who, asked: Paged, body: None) -> Page[MaintenanceView]:
        planned = self._policies.planned
        return page_of(planned, asked, lambda one: (float(-one.id), one.id), _maintenance)

    async def plan(self, who: Who, asked: Query, new: NewMaintenance) -> MaintenanceView:
        try:
            wanted = Planned(**_match(new), name=new.name, when=new.when, by=who.name)
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None
        return _maintenance(await self._policies.add_maintenance(who, wanted))

    async def drop(self, who: Who, asked: OneMaintenance, body: None) -> MaintenanceView:
        return _maintenance(await self._policies.remove_maintenance(who, asked.id))


def _match(new: Matching) -> dict[str, Any]:
    return {name: getattr(new, name) for name in Match.__struct_fields__}


def _matching(match: Match) -> Matching:
    return Matching(**{name: getattr(match, name) for name in Match.__struct_fields__})


def _end(new: NewSilence, start: int) -> int:
    if (new.end is None) == (new.lasts is None):
        raise Refusal(422, "unfit", "say either when it ends (end) or how long it lasts (for)")
    if new.end is not None:
        return ms_of(new.end, "end")
    return start + span_ms(new.lasts or "", "for", most_s=SILENCE_MS_MAX // 1000)


def _silence(silence: Silence, now: int) -> SilenceView:
    state: Literal["waiting", "active", "over"] = "active"
    if now < silence.start:
        state = "waiting"
    elif now >= silence.end:
        state = "over"
    return SilenceView(
        silence.id,
        state,
        moment(silence.start),
        moment(silence.end),
        silence.by,
        silence.comment,
        _matching(silence),
    )


def _maintenance(planned: Planned) -> MaintenanceView:
    return MaintenanceView(planned.id, planned.name, planned.when, planned.by, _matching(planned))
