"""The Kubernetes manifests, held against the API's own types and against what they are to do. No cluster runs them."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import read
from collector.config import load
from tests.conftest import Needs

FOLDER = Path(__file__).parents[2] / "packaging" / "kubernetes"
TYPES = Path(__file__).parent / "kinds.py"
PYTHON = "/usr/bin/python3"
Object = dict[str, Any]


def objects() -> list[Object]:
    """All that the kustomization names."""
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return [
        one for name in kustomization["resources"] for one in yaml.safe_load_all((FOLDER / name).read_text())
    ]


def the(kind: str) -> Object:
    [one] = [one for one in objects() if one["kind"] == kind]
    return one


def pod(kind: str) -> Object:
    spec: Object = the(kind)["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def faults(needs: Needs) -> Any:
    """Asks Debian's Kubernetes client what is wrong with objects."""
    there = subprocess.run([PYTHON, "-c", "import kubernetes"], capture_output=True, check=False)
    needs.that(
        there.returncode == 0, "needs Kubernetes' types (on Debian: apt-get install python3-kubernetes)"
    )

    def faults(some: list[Object]) -> list[str]:
        done = subprocess.run(
            [PYTHON, TYPES], input=json.dumps(some), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: list[str] = json.loads(done.stdout)
        return found

    return faults


def test_every_file_is_named_and_every_object_is_of_the_api(faults: Any) -> None:
    named = set(yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"])
    assert {file.name for file in FOLDER.glob("*.yaml")} == named | {"kustomization.yaml"}
    assert faults(objects()) == []


def test_a_mistake_would_be_found(faults: Any) -> None:
    wrong = copy.deepcopy(objects())
    stateful = next(one for one in wrong if one["kind"] == "StatefulSet")
    del stateful["spec"]["selector"]
    stateful["spec"]["replicaz"] = 1
    stateful["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = "http"
    said = "\n".join(faults(wrong))
    assert "has no replicaz" in said
    assert "containerPort is 'http' and not of type int" in said
    assert "selector" in said


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet", "Service", "PodDisruptionBudget"])
def test_each_finds_its_pods_by_their_labels(kind: str) -> None:
    spec = the(kind)["spec"]
    wanted = spec["selector"].get("matchLabels", spec["selector"])
    owner = "DaemonSet" if kind == "DaemonSet" else "StatefulSet"
    assert wanted.items() <= the(owner)["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_what_runs_for_long_is_no_root_and_has_no_rights(kind: str) -> None:
    for container in pod(kind)["containers"]:
        context = pod(kind).get("securityContext", {}) | container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_the_agent_sees_its_node_and_may_not_write_to_it() -> None:
    [agent] = pod("DaemonSet")["containers"]
    mounts = {mount["mountPath"]: mount for mount in agent["volumeMounts"]}
    assert mounts["/host"]["readOnly"] is True
    assert mounts["/host"]["mountPropagation"] == "HostToContainer"
    assert (pod("DaemonSet")["hostPID"], pod("DaemonSet")["hostNetwork"]) == (True, True)
    writable = {path for path, mount in mounts.items() if not mount.get("readOnly")}
    assert writable == {"/var/lib/watchkeeper/agent", "/tmp"}


def test_there_is_one_collector_which_is_asked_how_it_is_and_not_put_down_by_chance() -> None:
    assert the("StatefulSet")["spec"]["replicas"] == 1
    [collector] = pod("StatefulSet")["containers"]
    paths = {name: collector[name]["httpGet"]["path"] for name in collector if name.endswith("Probe")}
    assert paths == {"startupProbe": "/ready", "readinessProbe": "/ready", "livenessProbe": "/health"}
    assert the("PodDisruptionBudget")["spec"]["minAvailable"] == 1


def test_the_configs_in_there_are_right(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(the("ConfigMap")["data"]["collector.yaml"])
    assert load(config, {}).config.url == "http://collector.watchkeeper.svc:8420"
    [agent] = pod("DaemonSet")["containers"]
    environ = {one["name"]: one["value"] for one in agent["env"]}
    (tmp_path / "agent.yaml").write_text("agent: {}")
    assert read(tmp_path / "agent.yaml", environ).config.labels == {"cluster": "default"}
