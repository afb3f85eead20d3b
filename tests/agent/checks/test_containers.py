from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.checks import _containers
from agent.checks._containers import Container, containers

ID, OTHER = "0f" * 32, "c4" * 32

GROUPS = {
    "Docker by systemd": (f"system.slice/docker-{ID}.scope", "0f0f0f0f0f0f"),
    "Docker by itself": (f"docker/{ID}", "0f0f0f0f0f0f"),
    "Podman of root": (f"machine.slice/libpod-{ID}.scope/container", "0f0f0f0f0f0f"),
    "Podman of a user": (
        f"user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
        "0f0f0f0f0f0f",
    ),
    "Kubernetes by systemd": (
        f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1d_2e.slice/cri-containerd-{ID}.scope",
        "0f0f0f0f0f0f",
    ),
    "Kubernetes by itself": (f"kubepods/besteffort/pod1d-2e/{ID}", "0f0f0f0f0f0f"),
    "CRI-O": (f"kubepods.slice/kubepods-pod1d.slice/crio-{ID}.scope", "0f0f0f0f0f0f"),
    "containerd below a slice of its own": (f"kubepods-pod1d.slice:cri-containerd:{ID}", "0f0f0f0f0f0f"),
    "ECS": (f"ecs/5b1a/{ID}", "0f0f0f0f0f0f"),
    "LXC": ("lxc.payload.web-1/system.slice/cron.service", "web-1"),
    "LXC of old, and Proxmox": ("lxc/101/ns/init.scope", "101"),
    "systemd-nspawn": ("machine.slice/systemd-nspawn@build.service/payload", "build"),
    "a virtual machine of libvirt": (r"machine.slice/machine-qemu\x2d3\x2ddb.scope/libvirt", "qemu-3-db"),
}
NO_CONTAINERS = (
    "init.scope",
    "system.slice/ssh.service",
    "system.slice/docker.service",
    "system.slice/dev-sda1.swap",
    f"system.slice/crio-conmon-{ID}.scope",
    f"machine.slice/libpod-conmon-{ID}.scope",
    "lxc.monitor.web-1",
    "lxc.monitor/101",
    "user.slice/user-1000.slice/session-3.scope",
    f"machine.slice/machine-libpod_pod_{ID}.slice",
    "kubepods.slice/kubepods-pod1d.slice",
)


def make(tree: Path, *groups: str) -> None:
    for group in groups:
        (tree / group).mkdir(parents=True)


@pytest.mark.parametrize(("group", "name"), GROUPS.values(), ids=GROUPS)
def test_a_container_is_known_by_its_group(tmp_path: Path, group: str, name: str) -> None:
    make(tmp_path, group)
    assert [found.name for found in containers(tmp_path, tmp_path / "docker-state")] == [name]


@pytest.mark.parametrize("group", NO_CONTAINERS)
def test_other_groups_are_no_containers(tmp_path: Path, group: str) -> None:
    make(tmp_path, group)
    assert containers(tmp_path, tmp_path) == []


def test_what_is_inside_a_container_is_a_part_of_it(tmp_path: Path) -> None:
    make(tmp_path, f"docker/{ID}/docker/{OTHER}", f"lxc/101/system.slice/docker-{OTHER}.scope")
    assert [found.group for found in containers(tmp_path)] == ["lxc/101", f"docker/{ID}"][::-1]


def test_docker_knows_better_names_where_they_may_be_read(tmp_path: Path) -> None:
    tree, state = tmp_path / "tree", tmp_path / "state"
    make(tree, f"docker/{ID}", f"docker/{OTHER}")
    make(state, ID, OTHER)
    (state / ID / "config.v2.json").write_text(
        json.dumps({"ID": ID, "Name": "/shop_web_1", "RestartCount": 2})
    )
    (state / OTHER / "config.v2.json").write_text("{")
    assert containers(tree, state) == [
        Container("c4c4c4c4c4c4", f"docker/{OTHER}"),
        Container("shop_web_1", f"docker/{ID}"),
    ]


def test_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    make(tmp_path, "lxc/web", "lxc.payload.web")
    assert [found.name for found in containers(tmp_path)] == ["lxc/web", "web"]


def test_the_search_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, *[f"{number:02}" for number in range(50)], f"deep/er/and/deep/er/{ID}")
    assert len(containers(tmp_path)) == 1
    monkeypatch.setattr(_containers, "DEPTH_MAX", 4)
    assert containers(tmp_path) == []
    monkeypatch.setattr(_containers, "DEPTH_MAX", 8)
    monkeypatch.setattr(_containers, "GROUPS_MAX", 5)
    assert containers(tmp_path) == []
