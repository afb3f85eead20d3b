"""Hosts: which there are, how each stands, what it sampled last and over time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from collector.api.doors import Door, Id, Query, Refusal, missing
from collector.api.kept import INCIDENTS, SAMPLES, of_host
from collector.api.paging import Key, Page, Paged, page_of
from collector.api.views import (
    HostView,
    Instant,
    Span,
    host_view,
    moment,
    ms_of,
    number,
    span_ms,
)
from collector.store import Points, Steps, Store
from collector.who import Who
from rules.fleet.state import HostState, silent_hosts, state_of
from rules.model import CheckState, Host

POINTS_PER_ANSWER_MAX = 50_000
STEPS_BY_ITSELF = 500
"""Into so many steps, at most, a range is divided that names none."""
LABELS_MAX = 10
VALUES_MAX = 5_000

SeriesName = Annotated[str, Meta(min_length=1, max_length=512)]
LabelIs = Annotated[str, Meta(pattern="^[^=]{1,200}=.{0,200}$")]
Point = tuple[int, float | None, float | None, float | None, int]


class HostsWanted(Paged, frozen=True, kw_only=True):
    """Which hosts.

    q: only those whose name or labels hold this text
    label: only those with this label, as role=web; may be given several times, and then all must fit
    state: only those that stand so
    service: true for services that post metrics of their own, false for hosts
    sort: by which to sort; a minus in front turns it round
    """

    q: Annotated[str, Meta(max_length=200)] = ""
    label: Annotated[tuple[LabelIs, ...], Meta(max_length=LABELS_MAX)] = ()
    state: HostState | None = None
    service: bool | None = None
    sort: Literal["name", "-name", "heard_at", "-heard_at", "alerts", "-alerts"] = "name"


class OneHost(Query, frozen=True, kw_only=True):
    """Which host.

    id: the number of the host
    """

    id: Id


class HostDetails(Struct, frozen=True):
    """A host with what it told of itself."""

    host: HostView
    facts: dict[str, str]
    own_labels: tuple[str, ...]


class CheckView(Struct, frozen=True):
    """How one check of a host stands since `at`."""

    id: str
    kind: str
    state: CheckState
    at: datetime
    ms: float | None
    detail: str


class LatestView(Struct, frozen=True):
    """The newest batch of a host; null where a check gave no answer."""

    host: int
    at: datetime | None
    values: dict[str, float | None]


class SeriesWanted(OneHost, frozen=True, kw_only=True):
    """Which series, and of which time.

    name: a series; may be given several times
    range: how far back from now; instead of start and end
    start: from when on
    end: until when; now by default
    step: how long the steps are; left out, they are as long as the range calls for, and raw is every sample
    """

    name: Annotated[list[SeriesName], Meta(min_length=1, max_length=20)]
    range: Span = "1h"
    start: Instant | None = None
    end: Instant | None = None
    step: Annotated[str, Meta(pattern=r"^(raw|[1-9][0-9]{0,8}(s|m|h|d))$")] | None = None


class Line(Struct, frozen=True):
    """One series: of each step or sample its time in milliseconds UTC, then lowest, mean and highest value, and how
    many answers there were. Null: it was asked and did not answer."""

    name: str
    points: list[Point]


class SeriesView(Struct, frozen=True):
    """`step_ms` is how long the steps are, which may be longer than was asked for; 0 where every sample is given."""

    host: int
    start: datetime
    end: datetime
    step_ms: int
    series: list[Line]


class NamesWanted(OneHost, frozen=True, kw_only=True):
    """Of which time.

    range: how far back from now
    """

    range: Span = "1h"


class Names(Struct, frozen=True):
    names: list[str]


class MetricWanted(Query, frozen=True, kw_only=True):
    """Which metric.

    metric: the name of a metric, without labels
    limit: so many of the highest
    """

    limit: Annotated[int, Meta(ge=1, le=VALUES_MAX)] = 500
    metric: Annotated[str, Meta(pattern="^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$")]


class HostValue(Struct, frozen=True):
    host: int
    host_name: str
    series: str
    at: datetime
    value: float | None


class FleetValues(Struct, frozen=True):
    """A metric over the fleet: every series of it in the newest batch of each host, the highest first; `total` is how
    many there are in all."""

    metric: str
    total: int
    values: list[HostValue]


class Hosts:
    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store, self._now_ms = store, now_ms

    def doors(self) -> list[Door]:
        by_host = _topics_of_host
        return [
            Door(
                method="GET", path="/hosts", handler=self.search, needs="monitoring.read",
                summary="The hosts, and the services that post metrics", query=HostsWanted,
                answer=Page[HostView], kept=lambda query: [SAMPLES, INCIDENTS],
            ),
            Door(
                method="GET", path="/hosts/{id}", handler=self.get, needs="monitoring.read",
                summary="One host, with what it told of itself", query=OneHost, answer=HostDetails, kept=by_host,
            ),
            Door(
                method="GET", path="/hosts/{id}/latest", handler=self.latest, needs="monitoring.read",
                summary="What it sampled last", query=OneHost, answer=LatestView, kept=by_host,
            ),
            Door(
                method="GET", path="/hosts/{id}/checks", handler=self.checks, needs="monitoring.read",
                summary="How its checks stand", query=OneHost, answer=list[CheckView], kept=by_host,
            ),
            Door(
                method="GET", path="/hosts/{id}/names", handler=self.names, needs="monitoring.read",
                summary="The names of its series", query=NamesWanted, answer=Names, kept=by_host,
            ),
            Door(
                method="GET", path="/hosts/{id}/series", handler=self.series, needs="monitoring.read",
                summary="Its series over a range of time", query=SeriesWanted, answer=SeriesView, kept=by_host,
            ),
            Door(
                method="GET", path="/series/latest", handler=self.fleet, needs="monitoring.read",
                summary="A metric over the whole fleet, as it is now", query=MetricWanted, answer=FleetValues,
                kept=lambda query: [SAMPLES],
            ),
        ]  # fmt: skip

    # --- which there are ---

    async def search(self, who: Who, wanted: HostsWanted, body: None) -> Page[HostView]:
        hosts, alerts = await asyncio.gather(self._store.hosts.all(), self._store.incidents.open_alerts())
        now, silent, counts = self._now_ms(), silent_hosts(alerts), Counter(alert.host for alert in alerts)

        def state(host: Host) -> HostState:
            return state_of(host, now, is_missed=host.id in silent)

        return page_of(
            [host for host in hosts if _fits(host, wanted) and wanted.state in (None, state(host))],
            wanted,
            _key(wanted.sort, counts),
            lambda host: host_view(host, state(host), counts),
            descending=wanted.sort[0] == "-",
        )

    async def get(self, who: Who, wanted: OneHost, body: None) -> HostDetails:
        host = await self._host(wanted.id)
        alerts = await self._store.incidents.open_alerts()
        counts = Counter(alert.host for alert in alerts)
        state = state_of(host, self._now_ms(), is_missed=host.id in silent_hosts(alerts))
        return HostDetails(host_view(host, state, counts), host.facts, host.own_labels)

    async def checks(self, who: Who, wanted: OneHost, body: None) -> list[CheckView]:
        await self._host(wanted.id)
        answers = await self._store.samples.checks(wanted.id)
        return [CheckView(one.id, one.kind, one.state, moment(one.at), one.ms, one.detail) for one in answers]

    # --- what they sampled ---

    async def latest(self, who: Who, wanted: OneHost, body: None) -> LatestView:
        latest = await self._store.samples.latest(wanted.id)
        if latest is None:
            raise missing("host", wanted.id)
        at = latest.host.last_at
        values = {name: number(value) for name, value in latest.values.items()}
        return LatestView(wanted.id, None if at is None else moment(at), values)

    async def names(self, who: Who, wanted: NamesWanted, body: None) -> Names:
        await self._host(wanted.id)
        now = self._now_ms()
        start = now - span_ms(wanted.range, "range")
        return Names(await self._store.samples.names(wanted.id, start, now + 1))

    async def series(self, who: Who, wanted: SeriesWanted, body: None) -> SeriesView:
        host = await self._host(wanted.id)
        start, end = self._limits(wanted)
        step_ms = _step_ms(wanted.step, end - start, host.every_ms, len(wanted.name))
        if step_ms == 0:
            return await self._samples(wanted, start, end)
        steps = await self._store.samples.series_step(host.id, wanted.name, start, end, step_ms)
        lines = [Line(name, _steps(steps[name])) for name in wanted.name if name in steps]
        longest = max((one.step_ms for one in steps.values()), default=step_ms)
        return SeriesView(host.id, moment(start), moment(end), longest, lines)

    async def _samples(self, wanted: SeriesWanted, start: int, end: int) -> SeriesView:
        lines = []
        for name in wanted.name:
            points = await self._store.samples.series(wanted.id, name, start, end)
            if len(points.at) * len(wanted.name) > POINTS_PER_ANSWER_MAX:
                sentence = f"more than {POINTS_PER_ANSWER_MAX} samples; ask for steps, or for a shorter range"
                raise Refusal(422, "too_much", sentence)
            lines.append(Line(name, _points(points)))
        return SeriesView(wanted.id, moment(start), moment(end), 0, lines)

    async def fleet(self, who: Who, wanted: MetricWanted, body: None) -> FleetValues:
        found, hosts = await asyncio.gather(
            self._store.samples.latest_of(wanted.metric), self._store.hosts.all()
        )
        names = {host.id: host.name for host in hosts}
        found = sorted(found, key=lambda one: (np.isnan(one.value), -one.value, one.host, one.name))
        values = [
            HostValue(one.host, names.get(one.host, ""), one.name, moment(one.at), number(one.value))
            for one in found[: wanted.limit]
        ]
        return FleetValues(wanted.metric, len(found), values)

    def _limits(self, wanted: SeriesWanted) -> tuple[int, int]:
        end = self._now_ms() if wanted.end is None else ms_of(wanted.end, "end")
        start = end - span_ms(wanted.range, "range") if wanted.start is None else ms_of(wanted.start, "start")
        if not 0 <= start < end:
            raise Refusal(400, "range", "start: it has to lie before end, and not before 1970")
        return start, end

    async def _host(self, host: int) -> Host:
        latest = await self._store.samples.latest(host)
        if latest is None:
            raise missing("host", host)
        return latest.host


def _topics_of_host(query: OneHost) -> list[str]:
    return [of_host(query.id), INCIDENTS]


def _fits(host: Host, wanted: HostsWanted) -> bool:
    labels = [f"{name}={value}" for name, value in host.labels.items()]
    text = wanted.q.lower()
    return (
        (not text or any(text in part.lower() for part in (host.name, *labels)))
        and all(label in labels for label in wanted.label)
        and wanted.service in (None, host.is_service)
    )


def _key(sort: str, alerts: Mapping[int, int]) -> Callable[[Host], Key]:
    match sort.lstrip("-"):
        case "heard_at":
            return lambda host: (float(host.arrived_at or 0), host.name)
        case "alerts":
            return lambda host: (float(alerts.get(host.id, 0)), host.name)
        case _:
            return lambda host: (host.name, host.id)


def _step_ms(step: str | None, span: int, every_ms: int, series: int) -> int:
    """How long steps are to be, 0 for every sample. Refusal for steps so short that there would be too many."""
    if step == "raw":
        return 0
    if step is None:
        return 0 if span <= STEPS_BY_ITSELF * every_ms else -(-span // STEPS_BY_ITSELF)
    wanted_ms = span_ms(step, "step")
    if span // wanted_ms * series > POINTS_PER_ANSWER_MAX:
        raise Refusal(422, "too_much", f"step: {step} makes more than {POINTS_PER_ANSWER_MAX} points of this")
    return wanted_ms


def _steps(steps: Steps) -> list[Point]:
    """What is no number stays as it is: it leaves as null."""
    columns = (steps.at, steps.low, steps.mean, steps.high, steps.count)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _points(points: Points) -> list[Point]:
    values, answered = points.values.tolist(), np.isfinite(points.values).astype(int).tolist()
    return list(zip(points.at.tolist(), values, values, values, answered, strict=True))
