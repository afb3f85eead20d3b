"""Two machines with the packages installed as docs/install.md says, on a network of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Needs, made_once
from tests.system.netns import Network, is_possible
from tests.system.programs import ROOT
from tests.systemd.house import House
from tests.systemd.machine import MAKE_S, Machine, base_tree


@pytest.fixture(scope="session")
def packages(needs: Needs, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two packages, the agent's first."""
    needs("dpkg-shlibdeps")

    def build(output: Path) -> None:
        done = subprocess.run(
            [ROOT / "packaging" / "deb" / "build", output],
            env=os.environ | {"PIP": f"{sys.executable} -m pip"},
            capture_output=True,
            text=True,
            timeout=MAKE_S,
            check=False,
        )
        assert done.returncode == 0, f"packaging/deb/build: {done.stdout}{done.stderr}"

    return sorted(made_once(tmp_path_factory, "packages", build).glob("*.deb"))


@pytest.fixture(scope="module")
def house(needs: Needs, packages: list[Path]) -> Iterator[House]:
    for command in ("systemd-nspawn", "debootstrap", "setpriv", "ip"):
        needs(command)
    needs.that(is_possible(), "needs root, and a kernel that lets it make network namespaces")
    network = Network()
    machines = []
    try:
        base = base_tree()
        network.add_bridge("switch")
        for number, name in enumerate(("watch", "web-1"), start=1):
            network.add(name)
            network.plug(name, f"10.77.0.{number}", "switch")
            machines.append(Machine(name, network.full_name(name)))
            machines[-1].make(base)
            for package in packages:
                shutil.copy(package, machines[-1].path("/root"))
            machines[-1].start()
        yield House(network, *machines)
    finally:
        for machine in machines:
            machine.end()
        network.remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What the services wrote is shown for a failure."""
    report = yield
    house = getattr(item, "funcargs", {}).get("house")
    if report.failed and isinstance(house, House):
        for machine in (house.watch, house.web):
            lines = machine.try_run("journalctl", "--no-pager", "--lines=60", "--unit=watchkeeper-*").stdout
            report.sections.append((f"journal of {machine.name}", lines))
    return report
