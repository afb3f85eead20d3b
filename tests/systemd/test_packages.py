"""The packages where things are not as they should be, and in the place of the first ones that there were.

tests/data/packages-1.tar.gz holds what lay in those: scripts, units and configs as they were, and of the programs under
/opt the names of the files, so that it can be seen what becomes of each. It is never written again.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Needs
from tests.system.harness import ROOT, wait_until
from tests.system.netns import Network, is_possible
from tests.systemd.house import AGENT, COLLECTOR, PATIENCE_S
from tests.systemd.machine import COMMAND_S, Machine, base_tree

DATA = ROOT / "tests" / "data"
STORE = "/var/lib/watchkeeper/collector/watchkeeper.db"
CONFIGS = {
    "/etc/watchkeeper/collector.yaml": "# mine\ncollector:\n  listen: 127.0.0.1:8420\n  channels: []\n",
    "/etc/watchkeeper/rules.d/mine.yaml": "rules: [{name: mine, metric: cpu_used_pct, above: 99}]\n",
    "/etc/watchkeeper/agent.yaml": "agent:\n  collector: http://127.0.0.1:8420\n"
    f"  token: wk_agent_default_abcdefgh_{'s3cret' * 6}\n",
}


@pytest.fixture(scope="module")
def machine(needs: Needs, packages: list[Path]) -> Iterator[Machine]:
    for command in ("systemd-nspawn", "debootstrap", "setpriv", "ip"):
        needs(command)
    needs.that(is_possible(), "needs root, and a kernel that lets it make network namespaces")
    network = Network()
    network.add("lone")
    machine = Machine("lone", network.full_name("lone"))
    try:
        machine.make(base_tree())
        for package in packages:
            shutil.copy(package, machine.path("/root"))
        machine.start()
        yield machine
    finally:
        machine.end()
        network.remove()


def install(machine: Machine, package: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = f"cd /root; apt-get install --yes {' '.join(options)} ./{package}_*.deb"
    return machine.try_run("sh", "-c", command)


def well(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def status(machine: Machine, package: str) -> str:
    return machine.try_run("dpkg-query", "--show", "--showformat=${db:Status-Status}", package).stdout


def test_an_agent_of_the_one_command_is_not_pushed_aside(machine: Machine) -> None:
    machine.run("mkdir", "/opt/watchkeeper-agent")
    done = install(machine, AGENT)
    machine.run("rmdir", "/opt/watchkeeper-agent")
    assert done.returncode != 0
    assert "sh /opt/watchkeeper-agent/install.sh --uninstall" in done.stdout + done.stderr
    assert status(machine, AGENT) in ("", "not-installed")
    assert not machine.path("/opt/watchkeeper").exists()


def test_what_a_full_disk_has_ended_can_be_done_again(machine: Machine) -> None:
    machine.run("mount", "-t", "tmpfs", "-o", "size=1m", "full", "/opt")
    done = install(machine, AGENT)
    machine.run("umount", "/opt")
    assert done.returncode != 0
    assert "No space left on device" in done.stdout + done.stderr
    well(install(machine, AGENT))
    assert status(machine, AGENT) == "installed"
    assert machine.run("watchkeeper-agent", "--version")


@pytest.mark.parametrize("word", ["disable", "mask"])
def test_what_an_administrator_has_switched_off_stays_so(machine: Machine, word: str) -> None:
    machine.shell("cat > /etc/watchkeeper/agent.yaml", stdin=CONFIGS["/etc/watchkeeper/agent.yaml"])
    machine.shell(
        "chgrp watchkeeper-agent /etc/watchkeeper/agent.yaml; chmod 640 /etc/watchkeeper/agent.yaml"
    )
    machine.run("systemctl", "start", AGENT)
    machine.run("systemctl", word, "--now", AGENT)
    well(install(machine, AGENT, "--reinstall"))
    assert machine.property(AGENT, "ActiveState") == "inactive"
    assert machine.try_run("systemctl", "is-enabled", AGENT).stdout.strip() == f"{word.removesuffix('e')}ed"
    machine.shell(f"systemctl unmask {AGENT}; systemctl enable {AGENT}")


def test_a_purge_ends_well_where_a_folder_is_a_disk_of_its_own(machine: Machine) -> None:
    machine.shell(
        "mkdir -p /var/lib/watchkeeper/agent; mount -t tmpfs own /var/lib/watchkeeper/agent; "
        "mkdir /var/lib/watchkeeper/agent/spool"
    )
    said = well(machine.try_run("apt-get", "purge", "--yes", AGENT))
    left = machine.run("ls", "-A", "/var/lib/watchkeeper/agent")
    machine.run("umount", "/var/lib/watchkeeper/agent")
    machine.run("rm", "-r", "/var/lib/watchkeeper")
    assert "being a mount perhaps" in said
    assert left == ""
    assert status(machine, AGENT) in ("", "not-installed")
    assert machine.try_run("getent", "passwd", AGENT).stdout == ""


# --- in the place of the first ones -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first_packages(needs: Needs, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    needs("dpkg-deb")
    folder = tmp_path_factory.mktemp("first")
    subprocess.run(["tar", "-xf", DATA / "packages-1.tar.gz", "-C", folder], check=True, timeout=COMMAND_S)
    built = []
    for name in (AGENT, COLLECTOR):
        built.append(folder / f"{name}_0.1.0-1_amd64.deb")
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", folder / name, built[-1]]
        subprocess.run(command, check=True, capture_output=True, timeout=COMMAND_S)
    return built


def test_what_the_first_packages_had_is_kept_by_these(machine: Machine, first_packages: list[Path]) -> None:
    machine.run("mkdir", "/root/first")
    for package in first_packages:
        shutil.copy(package, machine.path("/root/first"))
        well(machine.try_run("apt-get", "install", "--yes", f"/root/first/{package.name}"))
    for file, text in CONFIGS.items():
        machine.shell(f"cat > {file}", stdin=text)
    machine.run("chgrp", AGENT, "/etc/watchkeeper/agent.yaml")
    store = gzip.decompress((DATA / "stores" / "1-ground_floor.db.gz").read_bytes())
    machine.run(
        "install", "-d", "-m", "700", "-o", "watchkeeper", "-g", "watchkeeper", str(Path(STORE).parent)
    )
    machine.path(STORE).write_bytes(store)
    machine.run("chown", "watchkeeper:watchkeeper", STORE)
    owners = machine.shell("stat -c '%n %U %G %a' /etc/watchkeeper/*")

    for package in (COLLECTOR, AGENT):
        well(install(machine, package, "--reinstall"))
    serves = lambda: machine.property(COLLECTOR, "StatusText").startswith("Judging 2 hosts")  # noqa: E731
    wait_until("the collector to serve what was kept", serves, PATIENCE_S, every_s=0.2)
    assert machine.property(AGENT, "ActiveState") == "active"
    assert {file: machine.path(file).read_text() for file in CONFIGS} == CONFIGS
    assert machine.shell("stat -c '%n %U %G %a' /etc/watchkeeper/*") == owners
    listed = machine.run("watchkeeper", "hosts")
    assert "alice" in listed
    assert "bob" in listed
    assert unowned(machine) == []
    for package in (COLLECTOR, AGENT):
        assert machine.try_run("dpkg", "--verify", package).stdout.splitlines() in (
            [],
            ["??5?????? c /etc/watchkeeper/collector.yaml"],
        )


def unowned(machine: Machine) -> list[str]:
    """Files under /opt that are in neither package."""
    owned = set(machine.run("dpkg", "--listfiles", AGENT, COLLECTOR).splitlines())
    return [file for file in machine.run("find", "/opt/watchkeeper").splitlines() if file not in owned]
