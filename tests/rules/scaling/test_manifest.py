"""The manifest is what Kubernetes reads: parsed back, it says what the policy says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.scaling.manifest import manifest
from rules.scaling.model import CPU, MEMORY, Preset, ScalingPolicy, Way, preset


def parsed(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def test_the_default_is_the_documented_autoscaler() -> None:
    (found,) = parsed(manifest("shop", preset("default"), namespace="web", deployment="shop-front"))
    assert (found["apiVersion"], found["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    assert found["metadata"] == {"name": "shop", "namespace": "web"}
    spec = found["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-front"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    assert [
        (metric["resource"]["name"], metric["resource"]["target"]["averageUtilization"])
        for metric in spec["metrics"]
    ] == [("cpu", 70), ("memory", 80)]
    assert spec["behavior"]["scaleDown"] == {
        "stabilizationWindowSeconds": 300,
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        "selectPolicy": "Max",
    }
    assert [policy["type"] for policy in spec["behavior"]["scaleUp"]["policies"]] == ["Pods", "Percent"]


@pytest.mark.parametrize(
    ("name", "bounds", "cpu"),
    [("default", (2, 10), 70), ("staging", (2, 5), 70), ("production", (3, 10), 60)],
)
def test_the_presets(name: Preset, bounds: tuple[int, int], cpu: int) -> None:
    (found,) = parsed(manifest("shop", preset(name)))
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == bounds
    assert found["spec"]["metrics"][0]["resource"]["target"] == {
        "type": "Utilization",
        "averageUtilization": cpu,
    }


def test_production_keeps_all_but_one_through_upkeep() -> None:
    _, budget = parsed(manifest("shop", preset("production"), disruption_budget=True))
    assert (budget["apiVersion"], budget["kind"]) == ("policy/v1", "PodDisruptionBudget")
    assert budget["spec"] == {"minAvailable": 2, "selector": {"matchLabels": {"app": "shop"}}}


def test_what_kubernetes_does_not_know_is_named_at_the_head() -> None:
    policy = replace(preset("default"), targets={CPU: 70.0, "queue_length": 5.0})
    head = manifest("shop", policy).partition("\n")[0]
    assert head.startswith("#")
    for word in ("queue_length", "gates", "cooldown", "look_ahead"):
        assert word in head
    bare = replace(preset("default"), gates=None, look_ahead=None, up=Way(), down=Way(select="disabled"))
    text = manifest("shop", bare)
    assert text.startswith("apiVersion")
    assert parsed(text)[0]["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"


@pytest.mark.parametrize("name", ["Shop", "shop_1", "-shop", "s" * 64, "", "shop\nx: y", "a/b"])
def test_a_name_that_kubernetes_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name in Kubernetes"):
        manifest(name, preset("default"), namespace=name)


def test_a_policy_without_cpu_or_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="target for neither"):
        manifest("shop", ScalingPolicy(targets={"queue_length": 5.0}))


@given(
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True),
    st.integers(1, 50),
    st.integers(50, 200),
    st.sampled_from([CPU, MEMORY]),
)
def test_whatever_the_name_it_is_read_back_as_it_was(name: str, least: int, most: int, metric: str) -> None:
    policy = ScalingPolicy(min=least, max=most, targets={metric: 55.0})
    found, budget = parsed(manifest(name, policy, namespace=name, disruption_budget=True))
    assert found["metadata"] == {"name": name, "namespace": name}
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (least, most)
    assert budget["spec"]["minAvailable"] == max(1, least - 1)
