"""The few limits that most people want to change, by one number each, without writing a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from agent.options import Node
from collector.config.scaling import ScalingOptions
from rules.judging.engine import Rule
from rules.kinds._limits import LimitRule
from rules.model import Severity
from rules.scaling.model import CPU, LATENCY, MEMORY, Gates
from rules.sla.model import ServiceOptions

Percent = Annotated[float, Meta(gt=0, le=100)]
Milliseconds = Annotated[float, Meta(gt=0, le=3_600_000)]

RULES = {
    "cpu-high": "cpu",
    "memory-high": "memory",
    "http-slow": "response_time",
    "tcp-slow": "response_time",
    "response-time-high": "response_time",
}
"""Which limits each of the packs' rules has from here."""


class Thresholds(Struct, kw_only=True, frozen=True):
    """Limits of the rules in the packs, and what services aim at. Rules of your own have limits of their own.

    cpu_warning_pct: from which use of its processor on a host is worth a warning
    cpu_critical_pct: and from which on it is critical
    memory_warning_pct: the same of its memory
    memory_critical_pct: the same of its memory
    response_time_warning: answers that take longer than this are worth a warning
    response_time_critical: and from this on they are critical
    uptime_target_pct: how much of the time services are to be up; set here, it is what those promise that name nothing
    response_time_target: how quickly they are to answer; set here, it is the limit of those that promise speed by none
    scale_up_cpu_pct: above this a service with no gates of its own gets more instances
    scale_up_memory_pct: or above this
    scale_up_response_time: or when its answers take longer than this
    scale_down_cpu_pct: below this, and
    scale_down_memory_pct: below this, it gets fewer
    """

    cpu_warning_pct: Percent = 80
    cpu_critical_pct: Percent = 95
    memory_warning_pct: Percent = 80
    memory_critical_pct: Percent = 95
    response_time_warning_ms: Milliseconds = 1_000
    response_time_critical_ms: Milliseconds = 5_000
    uptime_target_pct: Annotated[float, Meta(gt=0, lt=100)] = 99.99
    response_time_target_ms: Milliseconds = 100
    scale_up_cpu_pct: Percent = 80
    scale_up_memory_pct: Percent = 80
    scale_up_response_time_ms: Milliseconds = 1_000
    scale_down_cpu_pct: Percent = 30
    scale_down_memory_pct: Percent = 30

    def __post_init__(self) -> None:
        for subject, unit in (("cpu", "pct"), ("memory", "pct"), ("response_time", "ms")):
            limits = self._limits(subject, unit)
            if not limits["warning"] < limits["critical"]:
                raise ValueError(
                    f"the warning of {subject} has to lie below what is critical: "
                    f"{limits['warning']:g} is not less than {limits['critical']:g}"
                )

        _ = self.gates

    @property
    def gates(self) -> Gates:
        """What must be so before a service gets more or fewer instances. ValueError when that makes no sense."""
        return Gates(
            up={
                CPU: self.scale_up_cpu_pct,
                MEMORY: self.scale_up_memory_pct,
                LATENCY: self.scale_up_response_time_ms,
            },
            down={CPU: self.scale_down_cpu_pct, MEMORY: self.scale_down_memory_pct},
        )

    def limits(self, rule: str) -> dict[Severity, float] | None:
        """Those of one of the packs' rules; None for a rule that has none from here."""
        subject = RULES.get(rule)
        if subject is None:
            return None
        return self._limits(subject, "ms" if subject == "response_time" else "pct")

    def _limits(self, subject: str, unit: str) -> dict[Severity, float]:
        return {
            "warning": getattr(self, f"{subject}_warning_{unit}"),
            "critical": getattr(self, f"{subject}_critical_{unit}"),
        }


def with_gates(scaling: Sequence[ScalingOptions], node: Node, thresholds: Thresholds) -> list[ScalingOptions]:
    """Ways of scaling with the gates that are set for all, where they have none of their own. `node` is the list that
    they were read from."""
    entries = node.items() if scaling else []
    return [
        options if "gates" in entry.entries() else replace(options, gates=thresholds.gates)
        for options, entry in zip(scaling, entries, strict=True)
    ]


def with_targets(
    services: Sequence[ServiceOptions], section: Node, thresholds: Thresholds
) -> list[ServiceOptions]:
    """Services with the targets that somebody has set for all, where they promise no number of their own. `section` is
    what both were read from."""
    entries = section.get("services").items() if services else []
    given = section.get("thresholds").entries()
    found = []
    for service, entry in zip(services, entries, strict=True):
        if "uptime_target_pct" in given and "objective_pct" not in entry.entries():
            service = replace(service, objective_pct=thresholds.uptime_target_pct)
        if (
            service.latency
            and "response_time_target" in given
            and "limit" not in entry.get("latency").entries()
        ):
            latency = replace(service.latency, limit_ms=thresholds.response_time_target_ms)
            service = replace(service, latency=latency)
        found.append(service)
    return found


def with_limits(rule: Rule, thresholds: Thresholds) -> Rule:
    """A rule of a pack with the limits that are set for it; the very same where that changes nothing."""
    limits = thresholds.limits(rule.name)
    if limits is None or not isinstance(rule, LimitRule) or rule.options.limits == limits:
        return rule
    return type(rule)(replace(rule.options, above=limits, clear=None))
