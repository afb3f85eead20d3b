"""How a service stands over a period: what pages, programs and commands are told."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rules.sla.budget import (
    Budget,
    availability_pct,
    budget,
    down_ms,
    sentence,
    within_limit_pct,
)
from rules.sla.model import Class, Interval, ServiceOptions, Span, Tally
from rules.sla.periods import Period
from rules.sla.timeline import SEPARATOR, in_words


class Outage(Struct, frozen=True):
    """A stretch without a break in which a service was down. `incident` is the one that was about it, if there was."""

    start: int
    end: int
    cause: str
    repaired: bool = False
    incident: int | None = None
    incident_title: str = ""

    @property
    def ms(self) -> int:
        return self.end - self.start


class LatencyStanding(Struct, frozen=True):
    """A promise about speed: how much of the time in which it answered it was to be, and was, fast enough.

    What is left of the time in which it may be slow is below zero once the promise is broken.
    """

    limit_ms: float
    promised_pct: float
    reached_pct: float | None = None
    left_pct: float | None = None


class Summary(Struct, frozen=True):
    """A service over a period. `known_until` is how far it was looked at; `state` is what it is then, `since` when.

    `burn_rates` are by window: at 1, what may go wrong lasts for exactly the period.
    """

    service: str
    title: str
    window: Span
    period: str
    start: int
    end: int
    known_until: int
    state: Class
    since: int
    cause: str
    tally: Tally
    availability_pct: float | None
    objective_pct: float | None
    downtime_ms: int
    outages: int
    longest: Outage | None
    budget: Budget | None
    latency: LatencyStanding | None
    burn_rates: dict[str, float | None]
    sentence: str


def summary_of(
    service: ServiceOptions,
    window: Span,
    period: Period,
    now: int,
    troubles: Sequence[Interval],
    latest: Interval,
    tally: Tally,
    burn_rates: dict[str, float | None],
    watched_since: int,
) -> Summary:
    """`troubles` are the times within the period in which it was not simply up, oldest first; `latest` is what it is at
    the end of what is known, from when it began to be; `tally` is of all that is known of the period."""
    downs = [one for one in troubles if counts_as_down(one, service)]
    breaks = outages(downs)
    unwatched_ms = max(0, watched_since - period.start) if period.rolling else 0
    standing = budget(service, tally, period, now, downs, unwatched_ms)
    return Summary(
        service=service.name,
        title=service.called,
        window=window,
        period=period.called,
        start=period.start,
        end=period.end,
        known_until=latest.end,
        state=latest.state,
        since=latest.start,
        cause=latest.cause,
        tally=tally,
        availability_pct=availability_pct(tally, service),
        objective_pct=service.objective_pct,
        downtime_ms=down_ms(tally, service),
        outages=len(breaks),
        longest=max(breaks, key=lambda one: one.ms, default=None),
        budget=standing,
        latency=latency_standing(service, tally),
        burn_rates=burn_rates,
        sentence=sentence(service, tally, period, now, standing),
    )


def latency_standing(service: ServiceOptions, tally: Tally) -> LatencyStanding | None:
    latency, reached = service.latency, within_limit_pct(tally)
    if latency is None:
        return None
    if reached is None:
        return LatencyStanding(latency.limit_ms, latency.share_pct)
    left = 100 * (1 - (100 - reached) / (100 - latency.share_pct))
    return LatencyStanding(latency.limit_ms, latency.share_pct, reached, left)


def counts_as_down(one: Interval, service: ServiceOptions) -> bool:
    return one.state == "down" or (one.state == "unknown" and service.unknown == "down")


def outages(downs: Sequence[Interval]) -> list[Outage]:
    """What touches is one outage, with all of its causes; oldest first as they are given."""
    runs: list[list[Interval]] = []
    for one in downs:
        if runs and runs[-1][-1].end == one.start:
            runs[-1].append(one)
        else:
            runs.append([one])
    return [
        Outage(
            run[0].start,
            run[-1].end,
            in_words([part for one in run for part in one.cause.split(SEPARATOR)]),
            any(one.repaired for one in run),
        )
        for run in runs
    ]
