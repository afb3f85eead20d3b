"""Advice on scaling as programs see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from collector.api.views import moment, moment_or_none
from collector.config.thresholds import Thresholds
from collector.desks.advice import Standing
from rules.capacity.report import HostReport
from rules.scaling.model import Direction, Evidence

NO_POLICY = (
    "no service has a scaling policy: say under `scaling:` in the config which hosts are its instances, and how many "
    "it may have"
)


class AdviceView(Struct, frozen=True):
    """What a service should have. `direction` unknown: it is not known, and `reason` says why. `expires_at` is when it
    is not to be followed any more."""

    service: str
    at: datetime | None
    direction: Direction
    current: int | None
    wanted: int | None
    reason: str
    confidence: float
    expires_at: datetime | None
    evidence: tuple[Evidence, ...]
    auto: bool
    hook: str
    dry_run: bool
    ahead: str


class FillingView(Struct, frozen=True):
    """Something that fills up: full in about `days`, not before `soonest_days`. `reason` says why nothing is known.
    `level` is what it is now, `per_day` by how much it grows, both in the unit of the series."""

    series: str
    limit: float
    outlook: str
    days: float | None
    soonest_days: float | None
    latest_days: float | None
    reason: str
    level: float | None
    per_day: float | None


class HostRoom(Struct, frozen=True):
    """What of a host fills up, whether it is of the right size, and what holds it back. `per_month` is what the right
    size would cost more, in `currency`; None where there are no prices."""

    host: int
    name: str
    at: datetime
    fit: str
    size: str
    fills: list[FillingView]
    bottlenecks: list[str]
    per_month: float | None
    currency: str


class Analysis(Struct, frozen=True):
    """Services with a scaling policy, and the hosts that should be looked at first, out of `hosts_total`. `why` says
    what is missing."""

    services: list[AdviceView]
    hosts: list[HostRoom]
    why: str
    hosts_total: int


class ScalingView(Struct, frozen=True):
    """How a service is scaled. `current` is how many instances there are, as it was last looked at."""

    service: str
    current: int | None
    min: int
    max: int
    targets: dict[str, float]
    up: dict[str, float]
    down: dict[str, float]
    where: dict[str, str | list[str]]
    auto: bool
    auto_by: str
    hook: str
    dry_run: bool


class ScalingThresholds(Struct, frozen=True, kw_only=True):
    """Above any of the first an instance is added, below all of the last one is taken away."""

    cpu_up_pct: float
    memory_up_pct: float
    response_time_up_ms: float
    cpu_down_pct: float
    memory_down_pct: float


class ScalingConfig(Struct, frozen=True):
    """`thresholds` are the gates of services that have none of their own."""

    services: list[ScalingView]
    thresholds: ScalingThresholds
    why: str


def analysis_view(
    standings: Sequence[Standing], reports: Sequence[HostReport], *, nobody: str, most: int | None = None
) -> Analysis:
    """Of the hosts, the `most` urgent; `nobody` says why there is none."""
    rooms = sorted(map(host_room, reports), key=urgent_first)
    why = [*([] if standings else [NO_POLICY]), *([] if rooms else [nobody])]
    return Analysis([*map(advice_view, standings)], rooms[:most], "; ".join(why), len(rooms))


def advice_view(standing: Standing) -> AdviceView:
    said = standing.recommendation
    return AdviceView(
        service=standing.service,
        at=moment_or_none(said.at if said else None),
        direction=said.direction if said else "unknown",
        current=said.current if said else None,
        wanted=said.wanted if said else None,
        reason=said.reason if said else "not looked at yet; that is done once a minute",
        confidence=said.confidence if said else 0.0,
        expires_at=moment_or_none(said.expires_at if said else None),
        evidence=said.evidence if said else (),
        auto=standing.auto,
        hook=standing.hook,
        dry_run=standing.dry_run,
        ahead=standing.ahead,
    )


def scaling_view(standing: Standing) -> ScalingView:
    policy, said = standing.policy, standing.recommendation
    return ScalingView(
        service=standing.service,
        current=said.current if said else policy.current,
        min=policy.min,
        max=policy.max,
        targets=policy.targets,
        up=policy.gates.up if policy.gates else {},
        down=policy.gates.down if policy.gates else {},
        where=policy.where,
        auto=standing.auto,
        auto_by=standing.auto_by,
        hook=standing.hook,
        dry_run=standing.dry_run,
    )


def host_room(report: HostReport) -> HostRoom:
    fills = [
        FillingView(
            one.series,
            one.limit,
            one.forecast.outlook,
            one.forecast.days,
            one.forecast.soonest_days,
            one.forecast.latest_days,
            one.forecast.reason,
            one.forecast.level,
            one.forecast.per_day,
        )
        for one in report.fillings
    ]
    return HostRoom(
        host=report.host,
        name=report.name,
        at=moment(report.at),
        fit=report.sizing.fit,
        size=report.sizing.reason,
        fills=fills,
        bottlenecks=[one.words for one in report.bottlenecks],
        per_month=report.sizing.per_month,
        currency=report.sizing.currency,
    )


def urgent_first(room: HostRoom) -> tuple[float, bool, str]:
    """What fills up soonest, then what something holds back, then by name."""
    soonest = min((one.days for one in room.fills if one.days is not None), default=1e9)
    return soonest, not room.bottlenecks, room.name


def thresholds_view(thresholds: Thresholds) -> ScalingThresholds:
    return ScalingThresholds(
        cpu_up_pct=thresholds.scale_up_cpu_pct,
        memory_up_pct=thresholds.scale_up_memory_pct,
        response_time_up_ms=thresholds.scale_up_response_time_ms,
        cpu_down_pct=thresholds.scale_down_cpu_pct,
        memory_down_pct=thresholds.scale_down_memory_pct,
    )
