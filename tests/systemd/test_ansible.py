"""The Ansible roles, run for real on two machines: what they install works, and a second run changes nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import Needs
from tests.system.programs import ROOT, wait_until
from tests.systemd.house import AGENT, COLLECTOR, PATIENCE_S, House, example
from tests.systemd.machine import MAKE_S, Machine

PAGE = (ROOT / "docs" / "install.md").read_text()
URL = "http://10.77.0.1:8420"
RULE = {"name": "busy", "metric": "cpu_used_pct", "above": 99}


class Ansible:
    """`run` plays the whole playbook with the variables that it was given last."""

    def __init__(self, folder: Path, house: House, packages: list[Path]) -> None:
        self._folder, self._house = folder, house
        agent, collector = map(str, packages)
        self.variables = {
            "ansible_become": False,
            "ansible_ssh_executable": str(ROOT / "tests" / "systemd" / "into_machine"),
            "ansible_ssh_transfer_method": "piped",
            "ansible_python_interpreter": "/usr/bin/python3",
            "watchkeeper_collector_package": collector,
            "watchkeeper_collector_settings": {"listen": "0.0.0.0:8420", "url": URL},
            "watchkeeper_collector_rules": {"mine": [RULE]},
            "watchkeeper_agent_package": agent,
            "watchkeeper_agent_collector": URL,
            "watchkeeper_agent_settings": {"allow_plaintext": True, "labels": {"role": "web"}},
        }

    def run(self, *options: str) -> dict[str, int]:
        """How many tasks changed something, by machine."""
        given = self._folder / "given.json"
        given.write_text(yaml.safe_dump(self.variables))
        inventory = self._folder / "hosts"
        inventory.write_text(
            f"[watchkeeper_collector]\nwatch ansible_host={init_of(self._house.watch)}\n"
            f"[watchkeeper_hosts]\nweb-1 ansible_host={init_of(self._house.web)}\n"
        )
        shown = re.search(r"^    (ansible-playbook .*)$", PAGE, re.MULTILINE)
        assert shown is not None
        command = shlex.split(shown[1].replace("INVENTORY", str(inventory)))
        done = subprocess.run(
            [*command, "-e", f"@{given}", *options],
            cwd=ROOT,
            env=os.environ
            | {"ANSIBLE_NOCOLOR": "1", "HOME": str(self._folder), "ANSIBLE_HOST_KEY_CHECKING": "0"},
            capture_output=True,
            text=True,
            timeout=MAKE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {
            host: int(count) for host, count in re.findall(r"^(\S+)\s+:.*changed=(\d+)", done.stdout, re.M)
        }


def init_of(machine: Machine) -> int:
    assert machine.init is not None
    return machine.init


def labelled(house: House, label: str) -> list[str]:
    """The names of the hosts with this label."""
    found = json.loads(house.watch.run("watchkeeper", "hosts", "--label", label, "--json"))
    return [host["name"] for host in found["items"]]


@pytest.fixture(scope="module")
def ansible(
    needs: Needs, house: House, packages: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Ansible:
    needs("ansible-playbook")
    return Ansible(tmp_path_factory.mktemp("ansible"), house, packages)


def test_a_collector_is_installed_with_its_config_and_rules(ansible: Ansible, house: House) -> None:
    ansible.run("--limit", "watchkeeper_collector")
    assert house.watch.property(COLLECTOR, "ActiveState") == "active"
    wait_until("the page", lambda: house.page("/"), PATIENCE_S)
    rules = yaml.safe_load(house.watch.run("cat", "/etc/watchkeeper/rules.d/mine.yaml"))
    assert rules == {"rules": [RULE]}
    config = house.watch.run("stat", "--format=%G %a", "/etc/watchkeeper/collector.yaml")
    assert config.split() == ["watchkeeper", "640"]


def test_a_host_joins_by_the_code_it_is_given_and_pushes(ansible: Ansible, house: House) -> None:
    code = house.watch.run("watchkeeper", "join-command", "--code-only").strip()
    ansible.variables["watchkeeper_agent_join_code"] = code
    ansible.run()
    wait_until("web-1 to push", house.newest, PATIENCE_S)
    assert house.web.property(AGENT, "ActiveState") == "active"
    assert labelled(house, "role=web") == ["web-1"]
    shown = yaml.safe_load(example("Many hosts", "yaml"))
    assert set(shown) <= set(ansible.variables)


def test_a_second_run_changes_nothing(ansible: Ansible, house: House) -> None:
    assert ansible.run() == {"watch": 0, "web-1": 0}


def test_another_config_is_taken_without_a_restart(ansible: Ansible, house: House) -> None:
    pid = house.web.main_pid(AGENT)
    ansible.variables["watchkeeper_agent_settings"]["labels"] = {"role": "db"}
    assert ansible.run() == {"watch": 0, "web-1": 2}
    wait_until("the new label", lambda: labelled(house, "role=db") == ["web-1"], PATIENCE_S)
    assert house.web.main_pid(AGENT) == pid
