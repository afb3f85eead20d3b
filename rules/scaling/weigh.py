"""How many instances one number asks for: current × observed ÷ target, and careful about those that say nothing.

As Kubernetes' HorizontalPodAutoscaler has it: instances whose number is missing are taken to idle where more would be
asked for, and to work at full where fewer would; what is not ready yet is taken to idle where more would be. If with
them it goes the other way, nothing is to change.
"""

from __future__ import annotations

import math

from rules.scaling.model import Evidence, Gates, Instance, ScalingPolicy, Seen

READY_MATTERS = "cpu_"
"""While it starts, an instance uses processors for other things than work. Its other numbers count as they are."""
ROUNDING = 1e-9


def weigh(policy: ScalingPolicy, seen: Seen) -> list[Evidence]:
    """What each target asks for. With gates, what has an upper gate and no target has its gate as the target, if it is
    measured at all: what is close to a limit is no reason to take instances away."""
    evidence = [_evidence(metric, target, policy, seen) for metric, target in policy.targets.items()]
    return evidence + [
        found
        for metric, target in (policy.gates.up if policy.gates else {}).items()
        if metric not in policy.targets
        and (found := _evidence(metric, target, policy, seen)).observed is not None
    ]


def observed(metric: str, seen: Seen) -> float | None:
    """The number of the service as a whole, or else the mean over the instances that work; None without any."""
    whole = seen.of_all.get(metric)
    if whole is not None and not math.isnan(whole):
        return whole
    values = _working(metric, seen)
    return sum(values) / len(values) if values else None


def readable_pct(policy: ScalingPolicy, seen: Seen) -> float:
    """What share of the instances gives numbers; 100 where there are none to ask."""
    if not seen.instances:
        return 100.0
    of_instances = [metric for metric in policy.targets if metric not in seen.of_all]
    readable = sum(
        instance.state != "unknown"
        and (not of_instances or any(instance.value(metric) is not None for metric in of_instances))
        for instance in seen.instances
    )
    return 100 * readable / len(seen.instances)


def open_gates(gates: Gates, seen: Seen) -> tuple[list[str], bool]:
    """The metrics that are above their gate, and whether all that have a lower one are below it."""
    above = [
        metric
        for metric, limit in gates.up.items()
        if (value := observed(metric, seen)) is not None and value > limit
    ]
    low = {metric: observed(metric, seen) for metric in gates.down}
    known = {metric: value for metric, value in low.items() if value is not None}
    return above, bool(known) and all(value < gates.down[metric] for metric, value in known.items())


def _evidence(metric: str, target: float, policy: ScalingPolicy, seen: Seen) -> Evidence:
    value = observed(metric, seen)
    if value is None:
        return Evidence(metric, None, target, None, 0)
    tolerance, current = policy.tolerance_pct / 100, seen.count
    whole = seen.of_all.get(metric)
    if whole is not None and not math.isnan(whole):
        ready = sum(instance.state == "ready" for instance in seen.instances) or current
        wanted = current if _close(value / target, tolerance) else _up(value / target * ready)
        return Evidence(metric, value, target, wanted, ready)
    wanted = _of_instances(metric, target, tolerance, seen)
    return Evidence(metric, value, target, wanted, len(_working(metric, seen)))


def _of_instances(metric: str, target: float, tolerance: float, seen: Seen) -> int:
    working = _working(metric, seen)
    idle = sum(_is_starting(metric, instance) for instance in seen.instances)
    missing = len(seen.instances) - len(working) - idle
    ratio = sum(working) / len(working) / target
    if not missing and not (idle and ratio > 1):
        return seen.count if _close(ratio, tolerance) else _up(ratio * len(working))
    if ratio == 1:
        return seen.count
    if ratio < 1:
        supposed, counted = sum(working) + missing * _at_full(metric, target), len(working) + missing
    else:
        supposed, counted = sum(working), len(working) + missing + idle
    careful = supposed / counted / target
    wanted = _up(careful * counted)
    turned = (ratio < 1 < careful) or (careful < 1 < ratio)
    against = (careful < 1 and wanted > seen.count) or (careful > 1 and wanted < seen.count)
    return seen.count if _close(careful, tolerance) or turned or against else wanted


def _at_full(metric: str, target: float) -> float:
    """What an instance is taken to do of which nothing is known, before any is taken away."""
    return max(100.0, target) if metric.endswith("_pct") else target


def _working(metric: str, seen: Seen) -> list[float]:
    return [
        value
        for instance in seen.instances
        if not _is_starting(metric, instance) and (value := instance.value(metric)) is not None
    ]


def _is_starting(metric: str, instance: Instance) -> bool:
    return instance.state == "starting" and metric.startswith(READY_MATTERS)


def _close(ratio: float, tolerance: float) -> bool:
    return abs(ratio - 1) <= tolerance + ROUNDING


def _up(instances: float) -> int:
    return math.ceil(instances - ROUNDING)
