"""What is slow, and what to do about it: services, their endpoints, checks, hosts, and the collector's own store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from collector.api.checks import Labels
from collector.api.doors import Door
from collector.api.kept import SAMPLES
from collector.api.performance import CheckTimes, Performance, PerformanceWanted
from collector.api.posted import EndpointTimes, ServiceTimes
from collector.config.thresholds import Thresholds
from collector.store import Store
from collector.store.queries import SlowQuery
from collector.who import Who
from rules.capacity.report import HostReport
from rules.model import Severity

FINDINGS_MAX = 200
SLOW_QUERIES_MAX = 10
ERRORS_PCT = 2.0
PHASE = "http_phase_ms"
HINTS = {
    "name": "most of it is the look-up of the name: use a name server nearby, or keep answers for longer (TTL)",
    "connect": "most of it is the connection: the way there is long or lossy, or the server takes connections late",
    "tls": "most of it is TLS: let sessions be resumed, keep connections open, serve a shorter chain of certificates",
    "first_byte": "most of it is the server at work: look at what it does for this answer, its database above all",
    "transfer": "most of it is the transfer: compress the answer, make it smaller, or serve it from nearer by",
}
"""What each part of an answer over HTTP says."""

Kind = Literal["service", "endpoint", "check", "host", "store"]


class Finding(Struct, frozen=True):
    """Something that is slower than it should be. `limit` is what it is held against, `evidence` what shows it."""

    kind: Kind
    severity: Severity
    subject: str
    what: str
    value: float
    limit: float
    unit: str
    advice: str
    evidence: list[str]


class Optimization(Struct, frozen=True):
    """The gravest first. `looked_at` counts what was compared, so that an empty list says something."""

    findings: list[Finding]
    looked_at: dict[str, int]
    slow_queries: list[SlowQuery]


class Optimizing:
    """`reports` are of each host that was looked at, `thresholds` what is held against."""

    def __init__(
        self,
        performance: Performance,
        store: Store,
        reports: Callable[[], Sequence[HostReport]],
        thresholds: Callable[[], Thresholds],
    ) -> None:
        self._performance, self._store = performance, store
        self._reports, self._thresholds = reports, thresholds

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/performance/optimize", handler=self.optimize, needs="monitoring.read",
                summary="What is slow, and what to do about it", query=PerformanceWanted,
                answer=Optimization, refusals=(404,), kept=lambda query: [SAMPLES],
            ),
        ]  # fmt: skip

    async def optimize(self, who: Who, wanted: PerformanceWanted, body: None) -> Optimization:
        times, queries, phases = await asyncio.gather(
            self._performance.response_times(who, wanted, None),
            self._store.queries.slowest(SLOW_QUERIES_MAX),
            self._phases(),
        )
        thresholds, reports = self._thresholds(), self._reports()
        found = [
            *(one for service in times.services for one in _of_service(service, thresholds)),
            *(one for check in times.checks for one in _of_check(check, phases, thresholds)),
            *(one for report in reports for one in _of_host(report)),
            *map(_of_query, queries),
        ]
        ranks: Mapping[Severity, int] = {"critical": 0, "warning": 1, "info": 2}
        found.sort(key=lambda one: (ranks[one.severity], -one.value / one.limit if one.limit else 0.0))
        looked_at = {
            "services": len(times.services),
            "checks": len(times.checks),
            "hosts": len(reports),
            "slow_queries": len(queries),
        }
        return Optimization(found[:FINDINGS_MAX], looked_at, queries)

    async def _phases(self) -> dict[tuple[int, str], dict[str, float]]:
        """How long each part of each HTTP answer took last, by host and check."""
        found: dict[tuple[int, str], dict[str, float]] = {}
        known = Labels()
        for one in await self._store.samples.latest_of(PHASE):
            labels = known.of(one.name)
            found.setdefault((one.host, labels.get("check", "")), {})[labels.get("phase", "")] = one.value
        return found


# --- what is found ----------------------------------------------------------------------------------------------------


def _severity(ms: float, thresholds: Thresholds) -> Severity | None:
    """How bad it is that something takes so long; None for what is quick enough."""
    if ms > thresholds.response_time_critical_ms:
        return "critical"
    if ms > thresholds.response_time_warning_ms:
        return "warning"
    return "info" if ms > thresholds.response_time_target_ms else None


def _of_service(service: ServiceTimes, thresholds: Thresholds) -> Iterator[Finding]:
    severity = _severity(service.p95_ms or 0.0, thresholds)
    if severity is not None and service.p95_ms is not None:
        evidence = [f"{service.count} answers; half of them take up to {service.p50_ms:g} ms"]
        evidence += [f"{_said(one)}: {one.p95_ms:g} ms for one in twenty" for one in service.slowest[:3]]
        yield Finding(
            kind="service",
            severity=severity,
            subject=service.service,
            what="one answer in twenty takes longer than this",
            value=service.p95_ms,
            limit=_limit(severity, thresholds),
            unit="ms",
            advice=_service_advice(service),
            evidence=evidence,
        )
    if service.error_rate_pct is not None and service.error_rate_pct > ERRORS_PCT:
        yield Finding(
            kind="service",
            severity="warning",
            subject=service.service,
            what="requests that fail",
            value=service.error_rate_pct,
            limit=ERRORS_PCT,
            unit="%",
            advice="find out why they fail first: what is tried again costs its time twice",
            evidence=[],
        )


def _service_advice(service: ServiceTimes) -> str:
    if not service.slowest:
        return (
            "post response_time_ms with a label such as path, to see which endpoint it is; then look at what it "
            "waits for"
        )
    worst = service.slowest[0]
    if service.p50_ms and service.p95_ms and service.p95_ms > 10 * service.p50_ms:
        return f"most answers are quick and few are slow: look at what is special about {_said(worst)}"
    return f"begin with {_said(worst)}: profile it, and look at the queries that it makes"


def _of_check(
    check: CheckTimes, phases: Mapping[tuple[int, str], Mapping[str, float]], thresholds: Thresholds
) -> Iterator[Finding]:
    if check.mean_ms is None or (severity := _severity(check.mean_ms, thresholds)) is None:
        return
    parts = phases.get((check.host, check.check), {})
    most = max(parts, key=lambda phase: parts[phase], default="")
    evidence = [f"highest {check.highest_ms:g} ms"] if check.highest_ms is not None else []
    evidence += [f"{phase}: {ms:.4g} ms" for phase, ms in sorted(parts.items(), key=lambda one: -one[1])]
    yield Finding(
        kind="check",
        severity=severity,
        subject=f"{check.check or check.series} from {check.host_name}",
        what="an answer takes this long on average",
        value=check.mean_ms,
        limit=_limit(severity, thresholds),
        unit="ms",
        advice=HINTS.get(most, "look at the way there (ping it), then at what the server does meanwhile"),
        evidence=evidence,
    )


def _of_host(report: HostReport) -> Iterator[Finding]:
    for one in report.bottlenecks:
        yield Finding(
            kind="host",
            severity="warning",
            subject=report.name,
            what=f"{one.resource}: {one.series}",
            value=one.value,
            limit=one.value / one.beyond if one.beyond else 0.0,
            unit="",
            advice=one.words,
            evidence=[report.sizing.reason],
        )


def _of_query(query: SlowQuery) -> Finding:
    scans = [line for line in query.plan if line.startswith("SCAN")]
    advice = "it looks up what it needs and needs much of it: ask for a shorter range, for longer steps, or seldomer"
    if scans:
        advice = f"it reads through a whole table ({scans[0]}): ask for less of it, or keep less (keep, disk_budget)"
    return Finding(
        kind="store",
        severity="info",
        subject=query.statement[:200],
        what=f"read {query.times} times, so long on average",
        value=query.mean_ms,
        limit=50.0,
        unit="ms",
        advice=advice,
        evidence=[f"at worst {query.worst_ms:g} ms", *query.plan],
    )


def _limit(severity: Severity, thresholds: Thresholds) -> float:
    return {
        "critical": thresholds.response_time_critical_ms,
        "warning": thresholds.response_time_warning_ms,
        "info": thresholds.response_time_target_ms,
    }[severity]


def _said(endpoint: EndpointTimes) -> str:
    return " ".join(f"{name}={text}" for name, text in endpoint.labels.items())
