"""A policy as Kubernetes reads it: a HorizontalPodAutoscaler (autoscaling/v2), in production with a disruption budget.

Gates, cooldown and looking ahead have no place there; what of a policy is left out, the text says at its head.
"""

from __future__ import annotations

import json
import re
from typing import Any

from rules.scaling.model import CPU, MEMORY, Pace, ScalingPolicy, Way

RESOURCES = {CPU: "cpu", MEMORY: "memory"}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PLAIN = re.compile(r"[A-Za-z/][\w./-]*")
_READ_AS_SOMETHING_ELSE = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def manifest(
    name: str,
    policy: ScalingPolicy,
    *,
    namespace: str = "default",
    deployment: str = "",
    disruption_budget: bool = False,
) -> str:
    """YAML for `kubectl apply`. ValueError for a name that Kubernetes does not take, or a policy without a target that
    it can measure by itself (CPU or memory)."""
    for given in (name, namespace, deployment or name):
        if not _NAME.fullmatch(given):
            raise ValueError(
                f"{given[:80]!r} is no name in Kubernetes: lower-case letters, digits and - only, at most 63"
            )
    if not RESOURCES.keys() & policy.targets.keys():
        raise ValueError(f"the policy has a target for neither {CPU} nor {MEMORY}")
    documents = [_autoscaler(name, policy, namespace, deployment or name)]
    if disruption_budget:
        documents.append(_disruption_budget(name, policy, namespace, deployment or name))
    return _head(policy) + "---\n".join(_yaml(document) for document in documents)


def _autoscaler(name: str, policy: ScalingPolicy, namespace: str, deployment: str) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": policy.min,
            "maxReplicas": policy.max,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": RESOURCES[metric],
                        "target": {"type": "Utilization", "averageUtilization": round(target)},
                    },
                }
                for metric, target in policy.targets.items()
                if metric in RESOURCES
            ],
            "behavior": {"scaleUp": _behavior(policy.up), "scaleDown": _behavior(policy.down)},
        },
    }


def _behavior(way: Way) -> dict[str, Any]:
    said: dict[str, Any] = {"stabilizationWindowSeconds": round(way.stabilise_s)}
    if way.pace:
        said["policies"] = [_pace(pace) for pace in way.pace]
    return {**said, "selectPolicy": way.select.capitalize()}


def _pace(pace: Pace) -> dict[str, Any]:
    kind, value = ("Pods", pace.instances) if pace.instances is not None else ("Percent", pace.percent)
    return {"type": kind, "value": max(1, round(value or 0)), "periodSeconds": round(pace.per_s)}


def _disruption_budget(name: str, policy: ScalingPolicy, namespace: str, deployment: str) -> dict[str, Any]:
    """All but one of the least may not be taken away at once by upkeep of the cluster."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "minAvailable": max(1, policy.min - 1),
            "selector": {"matchLabels": {"app": deployment}},
        },
    }


def _head(policy: ScalingPolicy) -> str:
    left_out = [f"the target for {metric}" for metric in policy.targets if metric not in RESOURCES]
    if policy.gates is not None:
        left_out.append("gates")
    if policy.up.cooldown_s or policy.down.cooldown_s:
        left_out.append("cooldown")
    if policy.look_ahead is not None:
        left_out.append("look_ahead")
    return f"# Not said here, for Kubernetes does not know it: {', '.join(left_out)}.\n" if left_out else ""


def _yaml(value: Any, indent: int = 0) -> str:
    """Mappings, lists, text and whole numbers in block style: all that a manifest needs."""
    pad, lines = " " * indent, []
    if isinstance(value, dict):
        for key, inner in value.items():
            nested = isinstance(inner, dict | list)
            lines.append(
                f"{pad}{key}:\n{_yaml(inner, indent + 2)}" if nested else f"{pad}{key}: {_scalar(inner)}\n"
            )
    else:
        lines = [f"{pad}- {_yaml(inner, indent + 2).lstrip()}" for inner in value]
    return "".join(lines)


def _scalar(value: Any) -> str:
    """A word as it is, anything that a reader of YAML could take for something else in quotes."""
    if isinstance(value, str) and not (
        _PLAIN.fullmatch(value) and value.lower() not in _READ_AS_SOMETHING_ELSE
    ):
        return json.dumps(value)
    return str(value)
