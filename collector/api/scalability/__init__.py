"""Scaling: what each service should have and why, by which limits, and letting it be done without asking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from collector.api.doors import Body, Door, Query, Refusal, missing
from collector.api.scalability.views import (
    NO_POLICY,
    Analysis,
    ScalingConfig,
    ScalingThresholds,
    analysis_view,
    scaling_view,
    thresholds_view,
)
from collector.config.thresholds import Milliseconds, Percent
from collector.desks.advice import Advisor, Standing
from collector.desks.settings import Settings
from collector.who import Who
from rules.capacity.report import HostReport

HOSTS_SHOWN_MAX = 100
KEYS = {
    "cpu_up_pct": "thresholds.scale_up_cpu_pct",
    "memory_up_pct": "thresholds.scale_up_memory_pct",
    "response_time_up_ms": "thresholds.scale_up_response_time",
    "cpu_down_pct": "thresholds.scale_down_cpu_pct",
    "memory_down_pct": "thresholds.scale_down_memory_pct",
}
ServiceName = Annotated[str, Meta(min_length=1, max_length=100)]


class ScalingAsked(Query, frozen=True, kw_only=True):
    """Of what.

    service: only that one
    """

    service: ServiceName | None = None


class AnalysisAsked(Query, frozen=True, kw_only=True):
    """Of what.

    service: only that one
    host: only the host of that name
    """

    service: ServiceName | None = None
    host: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class NewThresholds(Body, frozen=True, kw_only=True):
    """What is left out stays as it is; null goes back to what is usual."""

    cpu_up_pct: Percent | UnsetType | None = UNSET
    memory_up_pct: Percent | UnsetType | None = UNSET
    response_time_up_ms: Milliseconds | UnsetType | None = UNSET
    cpu_down_pct: Percent | UnsetType | None = UNSET
    memory_down_pct: Percent | UnsetType | None = UNSET


class AutoScaling(Body, frozen=True, kw_only=True):
    """For one service, or without `service` for all that have a hook."""

    enabled: bool
    service: ServiceName | None = None


class Switched(Struct, frozen=True):
    """What became of it: `why` says why a service is not scaled by itself though that was wanted."""

    service: str
    auto: bool
    why: str


class SwitchedAll(Struct, frozen=True):
    services: list[Switched]
    why: str


class Scalability:
    """`reports` are of each host that was looked at."""

    def __init__(
        self, advisor: Advisor, reports: Callable[[], Sequence[HostReport]], settings: Settings
    ) -> None:
        self._advisor, self._reports, self._settings = advisor, reports, settings

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/scalability/analyze", handler=self.analyze, needs="monitoring.read",
                summary="What services should have, what fills up, which hosts are of the wrong size",
                query=AnalysisAsked, answer=Analysis, refusals=(404,),
            ),
            Door(
                method="GET", path="/scalability/config", handler=self.config, needs="monitoring.read",
                summary="How services are scaled: instances now and at most, targets, limits",
                query=ScalingAsked, answer=ScalingConfig, refusals=(404,),
            ),
            Door(
                method="POST", path="/scalability/auto-scaling", handler=self.auto,
                needs="monitoring.config.update", summary="Have the hooks of services run without asking, or no more",
                body=AutoScaling, answer=SwitchedAll, refusals=(404, 409),
            ),
            Door(
                method="PUT", path="/scalability/thresholds", handler=self.thresholds,
                needs="monitoring.config.update", summary="From which use on instances are added or taken away",
                body=NewThresholds, answer=ScalingThresholds, refusals=(409,),
            ),
        ]  # fmt: skip

    async def analyze(self, who: Who, asked: AnalysisAsked, body: None) -> Analysis:
        standings = self._standings(asked.service)
        reports = [report for report in self._reports() if asked.host in (None, report.name)]
        if asked.host is not None and not reports:
            raise missing("host that was looked at,", asked.host)
        nobody = "no host was looked at yet; that is done once an hour, the first time within a minute"
        return analysis_view(standings, reports, nobody=nobody, most=HOSTS_SHOWN_MAX)

    async def config(self, who: Who, asked: ScalingAsked, body: None) -> ScalingConfig:
        services = [*map(scaling_view, self._standings(asked.service))]
        thresholds = thresholds_view(self._settings.held.config.thresholds)
        return ScalingConfig(services, thresholds, "" if services else NO_POLICY)

    def _standings(self, service: str | None) -> list[Standing]:
        names = self._advisor.services if service is None else [service]
        found = [standing for name in names if (standing := self._advisor.standing(name))]
        if service is not None and not found:
            raise missing("scaling policy of a service", service)
        return found

    async def auto(self, who: Who, asked: Query, wanted: AutoScaling) -> SwitchedAll:
        if wanted.service is not None:
            switched = [await self._switch(who, wanted.service, wanted.enabled)]
            return SwitchedAll(switched, "")
        switched = []
        for name in self._advisor.services:
            try:
                switched.append(await self._switch(who, name, wanted.enabled))
            except Refusal as refusal:
                switched.append(Switched(name, False, str(refusal)))
        return SwitchedAll(switched, "" if switched else NO_POLICY)

    async def _switch(self, who: Who, service: str, on: bool) -> Switched:
        await self._advisor.switch(who, service, on)
        return Switched(service, on, "")

    async def thresholds(self, who: Who, asked: Query, new: NewThresholds) -> ScalingThresholds:
        changes: dict[str, Any] = {}
        for name, key in KEYS.items():
            value = getattr(new, name)
            if value is not UNSET:
                in_ms = name.endswith("_ms") and value is not None
                changes[key] = f"{value:.15g}ms" if in_ms else value
        if not changes:
            raise Refusal(422, "invalid", "nothing is to be different; say what, such as cpu_up_pct")
        await self._settings.change(who, changes)
        return thresholds_view(self._settings.held.config.thresholds)
