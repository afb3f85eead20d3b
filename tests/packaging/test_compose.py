"""The compose file and the Ansible playbook name what is there; tests/systemd builds and runs what they stand on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Needs
from tests.system.programs import ROOT

CONTAINER, ANSIBLE = ROOT / "packaging" / "container", ROOT / "packaging" / "ansible"
COMPOSE: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())


@pytest.mark.parametrize("name", ["agent", "collector"])
def test_a_service_is_built_from_the_dockerfile_and_has_few_rights(name: str) -> None:
    service, build = COMPOSE["services"][name], COMPOSE["services"][name]["build"]
    context = (CONTAINER / build["context"]).resolve()
    assert context == ROOT
    dockerfile = (context / build["dockerfile"]).read_text()
    assert re.search(rf"^FROM \S+ AS {build['target']}$", dockerfile, re.MULTILINE)
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_volume_that_is_named_is_there() -> None:
    mounts = [mount for service in COMPOSE["services"].values() for mount in service["volumes"]]
    sources = {mount.partition(":")[0] for mount in mounts if isinstance(mount, str)}
    assert {source for source in sources if not source.startswith(".")} == set(COMPOSE["volumes"])


def test_the_agent_may_look_at_its_host_and_not_write_to_it() -> None:
    agent = COMPOSE["services"]["agent"]
    [host] = [mount for mount in agent["volumes"] if isinstance(mount, dict)]
    assert (host["source"], host["read_only"]) == ("/", True)
    assert (agent["pid"], agent["network_mode"]) == ("host", "host")


def test_the_commands_of_the_page_are_understood(needs: Needs, tmp_path: Path) -> None:
    """By another reader of such files than ours, which says what it would run."""
    podman_compose = needs("podman-compose")
    folder = shutil.copytree(CONTAINER, tmp_path / "packaging" / "container")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\nshift\nexec {podman_compose} --podman-path true --dry-run "$@"\n')
    docker.chmod(0o755)
    page = (ROOT / "docs" / "containers.md").read_text()
    block = re.search(r"^## With compose\n\n```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    done = subprocess.run(
        ["sh", "-ec", block[1]],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{docker.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for line in (
        r"-d .*--read-only .*-p 127.0.0.1:8420:8420 .*watchkeeper-collector",
        rf"-v {folder}/etc/collector:/etc/watchkeeper:ro",
        r"--rm .*watchkeeper-agent join http://127.0.0.1:8420",
        r"exec .*watchkeeper join-command --code-only",
        r"-d .*--network host .*-v /:/host:rslave,ro .*watchkeeper-agent",
    ):
        assert re.search(line, said), f"{line} is not in:\n{said}"


def test_every_role_of_the_playbook_is_there_and_every_handler_that_is_called() -> None:
    plays = yaml.safe_load((ANSIBLE / "site.yml").read_text())
    roles = {role for play in plays for role in play["roles"]}
    assert roles == {folder.name for folder in (ANSIBLE / "roles").iterdir()}
    for role in roles:
        folder = ANSIBLE / "roles" / role
        tasks = yaml.safe_load((folder / "tasks" / "main.yml").read_text())
        handlers = {one["name"] for one in yaml.safe_load((folder / "handlers" / "main.yml").read_text())}
        assert {task["notify"] for task in tasks if "notify" in task} == handlers
        given = set(yaml.safe_load((folder / "defaults" / "main.yml").read_text()))
        assert set(re.findall(rf"\b{role}_\w+", (folder / "tasks" / "main.yml").read_text())) == given


def test_no_cache_of_python_goes_into_an_image() -> None:
    assert "**/__pycache__" in (CONTAINER / "Dockerfile.dockerignore").read_text().split()
    assert Path(CONTAINER / "venv").stat().st_mode & 0o111
