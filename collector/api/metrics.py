"""Services post what they measure of themselves, and ask how long they take to answer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta, Struct
from prometheus_client import CollectorRegistry, Counter

from agent.options import duration_s
from agent.wire import SERIES_NAME_CHARS_MAX, Problem, series_name
from collector.api.ticks import PERCENTILES, VALUES, Kind, NotTaken, Ticks, Value
from collector.store import Samples, StoreError
from rules.histograms import ENDING, HIGHEST, LABEL, SHARE_LABEL, percentiles

VALUES_PER_POST_MAX = 1_000
POSTS_AT_ONCE_MAX = 32
"""Being read at the same time; each is at most a mebibyte."""
RETRY_AFTER_S = "5"
AHEAD_MS_MAX = 60_000
RANGE_S_MAX = 400 * 86_400
RESPONSE_TIME = "response_time_ms"
RESERVED = frozenset((LABEL, SHARE_LABEL))

Name = Annotated[str, Meta(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,99}$")]
Label = Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}$")]
Text = Annotated[str, Meta(max_length=200)]
Service = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$")]
_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}")


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


class Refusal(Struct, frozen=True):
    """Why the metric at `place` of the list (from 0) was not taken."""

    place: int
    code: str
    message: str


class Taken(Struct, frozen=True):
    """`accepted` are in memory and on disk from `on_disk_at` on; a collector that dies before has lost them."""

    accepted: int
    refused: list[Refusal]
    on_disk_at: str


class ResponseTimes(Struct, frozen=True):
    """`count` answers from `start` to before `end`: half of them took no longer than `p50_ms`, and so on."""

    service: str
    start: str
    end: str
    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


_decode = msgspec.json.Decoder(Post).decode
_encode = msgspec.json.Encoder().encode


class Metrics:
    """The routes. What is posted is handed to `ticks`; a metric older than `late_ms_max` is refused."""

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
        self._reading = 0
        self._values = Counter(
            "watchkeeper_posted_values",
            "Values that services posted, by what became of them",
            ["what"],
            registry=registry,
        )

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/monitoring/metrics", self._post),
            web.get("/api/monitoring/performance/response-times", self._response_times),
        ]

    # --- posting ---

    async def _post(self, request: web.Request) -> web.Response:
        if self._reading >= POSTS_AT_ONCE_MAX:
            return _problem(503, "busy", "too many posts are being read at this moment; try again shortly")
        self._reading += 1
        try:
            post = await _read(request)
            return await self._take(post)
        except _Refused as refused:
            return refused.response
        finally:
            self._reading -= 1

    async def _take(self, post: Post) -> web.Response:
        try:
            host = await self._ticks.service(post.service)
        except StoreError as error:
            return _problem(503 if error.passing else 422, "store", f"not taken: {error}")
        now = self._now_ms()
        refused: list[Refusal] = []
        later = False
        for place, metric in enumerate(post.metrics):
            try:
                self._ticks.add(host, self._value(metric, now))
            except NotTaken as why:
                refused.append(Refusal(place, why.code, str(why)))
                later = later or why.later
        accepted = len(post.metrics) - len(refused)
        self._values.labels("accepted").inc(accepted)
        self._values.labels("refused").inc(len(refused))
        status = 202 if accepted else 503 if later else 422
        response = _json(status, Taken(accepted, refused, iso(self._ticks.kept_by(now))))
        if later:
            response.headers["Retry-After"] = RETRY_AFTER_S
        return response

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
            raise NotTaken("time", f"{iso(ms)} has not come yet; it is {iso(now)} here")
        if ms < now - self._late_ms_max:
            raise NotTaken("time", f"{iso(ms)} is too long ago; {self._late_ms_max // 1000} s are taken")
        return min(ms, now)

    # --- asking ---

    async def _response_times(self, request: web.Request) -> web.Response:
        service, span = request.query.get("service", ""), request.query.get("range", "1h")
        if not _SERVICE.fullmatch(service) or service not in self._ticks.hosts:
            return _problem(404, "service", "no such service has posted metrics; say ?service=NAME&range=1h")
        try:
            span_s = duration_s(span)
        except ValueError as error:
            return _problem(400, "range", str(error))
        if not 0 < span_s <= RANGE_S_MAX:
            return _problem(400, "range", "range is from 1s to 400d, such as 15m, 1h, 24h or 30d")
        end = self._now_ms()
        start = end - round(span_s * 1000)
        try:
            counts = await self._samples.histogram(self._ticks.hosts[service].id, RESPONSE_TIME, start, end)
        except StoreError as error:
            return _problem(503 if error.passing else 400, "store", str(error))
        found = percentiles(counts, list(PERCENTILES.values()))
        shares = [float(f"{value:.4g}") for value in found] if found else [None] * len(PERCENTILES)
        return _json(200, ResponseTimes(service, iso(start), iso(end), sum(counts.values()), *shares))


class _Refused(Exception):
    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


async def _read(request: web.Request) -> Post:
    """JSON said to be JSON: without that, any page in a browser on this host could post."""
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise _Refused(_problem(415, "encoding", "send JSON as it is, with Content-Type: application/json"))
    try:
        return _decode(await request.read())
    except TimeoutError as error:
        raise _Refused(_problem(408, "too_slow", str(error))) from None
    except (web.RequestPayloadError, ConnectionError):
        raise _Refused(_problem(400, "not_http", "the body broke off")) from None
    except web.HTTPRequestEntityTooLarge:
        raise _Refused(_problem(413, "too_large", "a post has at most one mebibyte; send several")) from None
    except msgspec.ValidationError as error:
        raise _Refused(_problem(400, "shape", f"not a post of metrics: {error}"[:500])) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Refused(_problem(400, "not_json", f"the body is not JSON: {error}"[:500])) from None


_ALLOWED: dict[Kind, str] = {
    "gauge": "it is any number",
    "count": "it is how many more there are, 0 or more",
    "duration": f"it is from 0 to {HIGHEST:g}",
}


def _kind_of(name: str) -> Kind:
    if name.endswith("_ms"):
        return "duration"
    return "count" if name.endswith(("_count", "_total")) else "gauge"


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _problem(status: int, code: str, message: str) -> web.Response:
    response = _json(status, Problem(code, message))
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER_S
    return response


def _json(status: int, value: object) -> web.Response:
    response = web.Response(status=status, body=_encode(value), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
