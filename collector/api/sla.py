"""What was promised of services, and whether it was kept: how they stand, what they were, and the month on paper."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from collector.api.doors import Door, Query, Refusal
from collector.api.kept import INCIDENTS, SAMPLES
from collector.api.services import Name, OneService
from collector.api.views import Span as RangeText
from collector.api.views import moment, moment_or_none, span_ms
from collector.config.thresholds import Thresholds
from collector.desks.promises import Accounts
from collector.who import Who
from rules.sla.budget import Budget
from rules.sla.model import Class, Interval, Span, Tally
from rules.sla.report import Report
from rules.sla.summary import Summary

INTERVALS_SHOWN_MAX = 5_000
DAYS_MAX = 400
T = TypeVar("T")


class SlaAsked(Query, frozen=True, kw_only=True):
    """Over which time, and of what.

    window: over which span; left out, over the one that each service is promised over
    service: only that one
    """

    window: Span | None = None
    service: Name | None = None


class BudgetView(Struct, frozen=True):
    """How much may go wrong and did, in milliseconds. `ends_at` is when it is used up at this pace."""

    objective_pct: float
    allowed_ms: int
    used_ms: int
    left_ms: int
    left_pct: float | None
    ends_at: datetime | None


class StandingView(Struct, frozen=True):
    """A service over a period: every millisecond of `tally` is in exactly one class. `known_until` is how far it was
    looked at, and `state` what it is then."""

    service: str
    title: str
    window: Span
    period: str
    start: datetime
    end: datetime
    known_until: datetime
    state: Class
    since: datetime
    cause: str
    tally: Tally
    availability_pct: float | None
    objective_pct: float | None
    meets_objective: bool | None
    meets_target: bool | None
    budget: BudgetView | None
    latency_limit_ms: float | None
    latency_reached_pct: float | None
    latency_promised_pct: float | None
    outages: int
    downtime_ms: int
    longest_outage_ms: int | None
    burn_rates: dict[str, float | None]
    sentence: str


class SlaView(Struct, frozen=True):
    """How every service stands. The targets are those of the whole fleet's view, `thresholds:` in the config; what each
    service promises stands with it. `why` says why there are none."""

    uptime_target_pct: float
    response_time_target_ms: float
    services: list[StandingView]
    why: str


class IntervalView(Struct, frozen=True):
    start: datetime
    end: datetime
    state: Class
    cause: str
    repaired: bool


class TimelineAsked(OneService, frozen=True, kw_only=True):
    """Of which service, and how far back.

    range: how far back from now
    """

    range: RangeText = "7d"


class TimelineView(Struct, frozen=True):
    """What a service was, without a hole. The newest INTERVALS_SHOWN_MAX of them."""

    service: str
    intervals: list[IntervalView]


class DaysAsked(OneService, frozen=True, kw_only=True):
    """Of which service, and how many days.

    days: so many days in UTC, today's among them
    """

    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = 30


class DayView(Struct, frozen=True):
    """A day in UTC as far as it is written down."""

    start: datetime
    tally: Tally


class ReportAsked(OneService, frozen=True, kw_only=True):
    """Of which service, and which month.

    month: such as 2026-10
    """

    month: Annotated[str, Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class OutageView(Struct, frozen=True):
    start: datetime
    end: datetime
    cause: str
    repaired: bool
    incident: int | None
    incident_title: str


class ReportView(Struct, frozen=True):
    """A month of a service for whoever has to believe it; `accounts` is the sum, written out."""

    service: str
    title: str
    period: str
    zone: str
    start: datetime
    end: datetime
    until: datetime
    made_at: datetime
    tally: Tally
    counted_ms: int
    availability_pct: float | None
    budget: BudgetView | None
    outages: list[OutageView]
    repaired_ms: int
    intervals: list[IntervalView]
    sentence: str
    accounts: str


class Sla:
    def __init__(
        self, accounts: Accounts, targets: Callable[[], Thresholds], now_ms: Callable[[], int]
    ) -> None:
        self._accounts, self._targets, self._now_ms = accounts, targets, now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/sla", handler=self.sla, needs="monitoring.read",
                summary="How services stand against what is promised of them", query=SlaAsked,
                answer=SlaView, refusals=(404,), kept=_made_of,
            ),
            Door(
                method="GET", path="/services/{name}/timeline", handler=self.timeline,
                needs="monitoring.read", summary="What a service was, and why", query=TimelineAsked,
                answer=TimelineView, kept=_made_of,
            ),
            Door(
                method="GET", path="/services/{name}/days", handler=self.days, needs="monitoring.read",
                summary="What a service was, day by day", query=DaysAsked, answer=list[DayView],
                kept=_made_of,
            ),
            Door(
                method="GET", path="/services/{name}/report", handler=self.report, needs="monitoring.read",
                summary="A month of a service, every second accounted for", query=ReportAsked,
                answer=ReportView, kept=_made_of,
            ),
        ]  # fmt: skip

    async def sla(self, who: Who, asked: SlaAsked, body: None) -> SlaView:
        now, targets = self._now_ms(), self._targets()
        if asked.service is None:
            found = await self._accounts.summaries(asked.window, now)
        else:
            found = [await self._known(self._accounts.summary(asked.service, asked.window, now))]
        standing = [_standing(one, targets) for one in found]
        why = ""
        if not standing:
            why = "no service is written down yet: say what they are made of, under services: or by PUT services"
        return SlaView(targets.uptime_target_pct, targets.response_time_target_ms, standing, why)

    async def timeline(self, who: Who, asked: TimelineAsked, body: None) -> TimelineView:
        now = self._now_ms()
        start = now - span_ms(asked.range, "range")
        found = await self._known(self._accounts.timeline(asked.name, start, now, now))
        return TimelineView(asked.name, _intervals(found[-INTERVALS_SHOWN_MAX:]))

    async def days(self, who: Who, asked: DaysAsked, body: None) -> list[DayView]:
        await self._known(self._accounts.summary(asked.name, None, self._now_ms()))
        days = await self._accounts.days(asked.name, asked.days, self._now_ms())
        return [DayView(moment(day.start), day.tally) for day in days]

    async def report(self, who: Who, asked: ReportAsked, body: None) -> ReportView:
        return _report(await self._known(self._accounts.report(asked.name, asked.month, self._now_ms())))

    async def _known(self, asking: Awaitable[T]) -> T:
        try:
            return await asking
        except ValueError as error:
            raise Refusal(404, "missing", str(error)) from None


def _made_of(asked: Query) -> list[str]:
    """Of what hosts sent, and of incidents: to reckon it takes some milliseconds a service."""
    return [SAMPLES, INCIDENTS]


def _standing(one: Summary, targets: Thresholds) -> StandingView:
    reached, objective = one.availability_pct, one.objective_pct
    return StandingView(
        service=one.service,
        title=one.title,
        window=one.window,
        period=one.period,
        start=moment(one.start),
        end=moment(one.end),
        known_until=moment(one.known_until),
        state=one.state,
        since=moment(one.since),
        cause=one.cause,
        tally=one.tally,
        availability_pct=reached,
        objective_pct=objective,
        meets_objective=None if reached is None or objective is None else reached >= objective,
        meets_target=None if reached is None else reached >= targets.uptime_target_pct,
        budget=_budget(one.budget),
        latency_limit_ms=one.latency.limit_ms if one.latency else None,
        latency_reached_pct=one.latency.reached_pct if one.latency else None,
        latency_promised_pct=one.latency.promised_pct if one.latency else None,
        outages=one.outages,
        downtime_ms=one.downtime_ms,
        longest_outage_ms=one.longest.ms if one.longest else None,
        burn_rates=one.burn_rates,
        sentence=one.sentence,
    )


def _budget(budget: Budget | None) -> BudgetView | None:
    if budget is None:
        return None
    return BudgetView(
        budget.objective_pct,
        budget.allowed_ms,
        budget.used_ms,
        budget.left_ms,
        budget.left_pct,
        moment_or_none(budget.ends_at),
    )


def _intervals(intervals: Sequence[Interval]) -> list[IntervalView]:
    return [
        IntervalView(moment(one.start), moment(one.end), one.state, one.cause, one.repaired)
        for one in intervals
    ]


def _report(report: Report) -> ReportView:
    outages = [
        OutageView(
            moment(one.start), moment(one.end), one.cause, one.repaired, one.incident, one.incident_title
        )
        for one in report.outages
    ]
    return ReportView(
        service=report.service,
        title=report.title,
        period=report.period,
        zone=report.zone,
        start=moment(report.start),
        end=moment(report.end),
        until=moment(report.until),
        made_at=moment(report.made_at),
        tally=report.tally,
        counted_ms=report.counted_ms,
        availability_pct=report.availability_pct,
        budget=_budget(report.budget),
        outages=outages,
        repaired_ms=report.repaired_ms,
        intervals=_intervals(report.intervals[-INTERVALS_SHOWN_MAX:]),
        sentence=report.sentence,
        accounts=report.accounts,
    )
