"""Services post what they measure of themselves, and ask which of them do."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from prometheus_client import CollectorRegistry, Counter

from agent.wire import SERIES_NAME_CHARS_MAX, series_name
from collector.api.doors import Door, Query, Refusal, Reply
from collector.api.kept import SAMPLES
from collector.api.router import RETRY_AFTER_S
from collector.api.ticks import VALUES, Kind, NotTaken, Ticks, Value
from collector.api.views import moment, moment_or_none
from collector.store import Samples, StoreError
from collector.who import Who
from rules.histograms import ENDING, HIGHEST, LABEL, SHARE_LABEL
from rules.model import Series

VALUES_PER_POST_MAX = 1_000
POST_BYTES_MAX = 1024 * 1024
AHEAD_MS_MAX = 60_000
RESERVED = frozenset((LABEL, SHARE_LABEL))

Name = Annotated[str, Meta(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,99}$")]
Label = Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}$")]
Text = Annotated[str, Meta(max_length=200)]
Service = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$")]


class Metric(Struct, frozen=True):
    """One value of a service. Without `kind` the name says it: `…_ms` is a duration, `…_count` and `…_total` are
    counts, whatever else is a gauge. Without `at` it is of now."""

    name: Name
    value: float
    labels: Annotated[dict[Label, Text], Meta(max_length=10)] = {}
    kind: Kind | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None


class Post(Struct, frozen=True):
    service: Service
    metrics: Annotated[list[Metric], Meta(min_length=1, max_length=VALUES_PER_POST_MAX)]


class NotAccepted(Struct, frozen=True):
    """Why the metric at `place` of the list (from 0) was not taken."""

    place: int
    code: str
    message: str


class Taken(Struct, frozen=True):
    """`accepted` are in memory and on disk from `on_disk_at` on; a collector that dies before has lost them."""

    accepted: int
    refused: list[NotAccepted]
    on_disk_at: datetime


class PostingService(Struct, frozen=True):
    """A service that has posted metrics: the last of them, and the names of those that are not made of others."""

    service: str
    host: int
    posted_at: datetime | None
    metrics: list[str]


class Metrics:
    """The doors. What is posted is handed to `ticks`; a metric older than `late_ms_max` is refused."""

    def __init__(
        self,
        ticks: Ticks,
        samples: Samples,
        *,
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
        late_ms_max: int,
    ) -> None:
        self._ticks, self._samples, self._now_ms = ticks, samples, now_ms
        self._late_ms_max = late_ms_max
        self._values = Counter(
            "watchkeeper_posted_values",
            "Values that services posted, by what became of them",
            ["what"],
            registry=registry,
        )

    def doors(self) -> list[Door]:
        return [
            Door(
                method="POST", path="/metrics", handler=self.post, needs="monitoring.write",
                summary="What a service measured of itself: one value or many", body=Post, answer=Taken,
                status=202, others={422: Taken, 503: Taken}, body_bytes_max=POST_BYTES_MAX,
            ),
            Door(
                method="GET", path="/metrics", handler=self.which, needs="monitoring.read",
                summary="The services that post metrics, and which", answer=list[PostingService],
                kept=lambda query: [SAMPLES],
            ),
        ]  # fmt: skip

    # --- asking ---

    async def which(self, who: Who, asked: Query, body: None) -> list[PostingService]:
        found = []
        for name, host in sorted(self._ticks.hosts.items()):
            latest = await self._samples.latest(host.id)
            names = latest.values if latest else {}
            posted = sorted({metric for series in names if (metric := _posted(series))})
            last_at = latest.host.last_at if latest else None
            found.append(PostingService(name, host.id, moment_or_none(last_at), posted))
        return found

    # --- posting ---

    async def post(self, who: Who, asked: Query, post: Post) -> Reply[Taken]:
        try:
            host = await self._ticks.service(post.service)
        except StoreError as error:
            raise Refusal(503 if error.passing else 422, "store", f"not taken: {error}") from None
        now = self._now_ms()
        refused: list[NotAccepted] = []
        later = False
        for place, metric in enumerate(post.metrics):
            try:
                self._ticks.add(host, self._value(metric, now))
            except NotTaken as why:
                refused.append(NotAccepted(place, why.code, str(why)))
                later = later or why.later
        accepted = len(post.metrics) - len(refused)
        self._values.labels("accepted").inc(accepted)
        self._values.labels("refused").inc(len(refused))
        status = 202 if accepted else 503 if later else 422
        headers = {"Retry-After": str(RETRY_AFTER_S)} if later else {}
        return Reply(Taken(accepted, refused, moment(self._ticks.kept_by(now))), status, headers)

    def _value(self, metric: Metric, now: int) -> Value:
        """NotTaken says what is wrong with it."""
        kind = metric.kind or _kind_of(metric.name)
        lowest, highest = {
            "gauge": (-math.inf, math.inf),
            "count": (0.0, math.inf),
            "duration": (0.0, HIGHEST),
        }[kind]
        if not lowest <= metric.value <= highest or not math.isfinite(metric.value):
            raise NotTaken("value", f"{metric.value:g} is no {kind}: {_ALLOWED[kind]}")
        if metric.name == VALUES:
            raise NotTaken("name", f"{VALUES} is counted here; choose another name")
        if metric.name.endswith(ENDING) or not RESERVED.isdisjoint(metric.labels):
            raise NotTaken(
                "name",
                f"a name that ends in {ENDING} and the labels {LABEL} and {SHARE_LABEL} are for what is made of "
                "durations; choose others",
            )
        longest = series_name(metric.name + ENDING, {**metric.labels, LABEL: "0" * 12})
        if len(longest) > SERIES_NAME_CHARS_MAX:
            raise NotTaken(
                "name", "the name and its labels are too long together; shorten the labels' values"
            )
        return Value(metric.name, metric.labels, kind, metric.value, self._at(metric.at, now))

    def _at(self, at: datetime | None, now: int) -> int:
        if at is None:
            return now
        ms = round(at.timestamp() * 1000)
        if ms > now + AHEAD_MS_MAX:
            raise NotTaken("time", f"{moment(ms)} has not come yet; it is {moment(now)} here")
        if ms < now - self._late_ms_max:
            raise NotTaken("time", f"{moment(ms)} is too long ago; {self._late_ms_max // 1000} s are taken")
        return min(ms, now)


_ALLOWED: dict[Kind, str] = {
    "gauge": "it is any number",
    "count": "it is how many more there are, 0 or more",
    "duration": f"it is from 0 to {HIGHEST:g}",
}


def _kind_of(name: str) -> Kind:
    if name.endswith("_ms"):
        return "duration"
    return "count" if name.endswith(("_count", "_total")) else "gauge"


def _posted(series: str) -> str:
    """The metric that a series of a batch was posted as; nothing for what is counted here, and made of durations."""
    parsed = Series.parse(series)
    if series == VALUES or parsed.metric.endswith(ENDING):
        return ""
    return parsed.metric
