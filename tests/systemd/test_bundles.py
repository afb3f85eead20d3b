"""What the collector's package brings for other hosts: each bundle is complete, and for its Python and machine alone.

Those for x86_64 are run where there is such a Python (test_one_command, tests/system/test_installer); of those for
aarch64 two are run here, as programs of foreign Debians on an emulated processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Needs
from tests.system.bundle import MINORS
from tests.system.harness import Stage
from tests.system.programs import Program, wait_until
from tests.systemd.machine import COMMAND_S, foreign_tree

MACHINES = {"x86_64": 62, "aarch64": 183}
"""Kinds of machines, and what ELF calls them."""
NAMES = [f"cp3{minor}-{machine}" for minor in MINORS for machine in MACHINES]
PATIENCE_S = 120.0
"""An emulated processor is some twenty times slower."""


@pytest.fixture(scope="module")
def bundles(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of them, as it is in the collector's package."""
    folder = tmp_path_factory.mktemp("collector")
    subprocess.run(["dpkg-deb", "--extract", packages[1], folder], check=True, timeout=COMMAND_S)
    return folder / "opt" / "watchkeeper" / "collector" / "bundles"


def wheels_of(bundle: Path, folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xf", bundle, "-C", folder], check=True, timeout=COMMAND_S)
    return sorted(folder.glob("*.whl"))


def test_there_is_one_for_each_python_and_machine(bundles: Path) -> None:
    assert {file.stem for file in bundles.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_holds_all_that_such_a_host_needs_and_nothing_else(
    bundles: Path, name: str, tmp_path: Path
) -> None:
    python, machine = name.split("-")
    wheels = wheels_of(bundles / f"{name}.tar", tmp_path)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"),
            *("--no-index", "--find-links", tmp_path, "--only-binary", ":all:", "--ignore-installed"),
            *("--implementation", "cp", "--python-version", f"3.{python.removeprefix('cp3')}"),
            *("--platform", f"manylinux2014_{machine}", "--target", tmp_path / "target", "watchkeeper"),
        ],
        env={name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
        | {"PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    chosen = [one["download_info"]["url"] for one in json.loads(done.stdout)["install"]]
    assert sorted(url.rpartition("/")[2] for url in chosen) == [wheel.name for wheel in wheels]
    compiled = 0
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for module in (name for name in archive.namelist() if name.endswith(".so")):
                assert int.from_bytes(archive.read(module)[18:20], "little") == MACHINES[machine], module
                compiled += 1
    assert compiled > 0


class Emulated:
    """An agent from its bundle, on the Python of a Debian for aarch64."""

    def __init__(self, qemu: str, tree: Path, bundle: Path, folder: Path) -> None:
        site = folder / "site"
        for wheel in wheels_of(bundle, folder / "bundle"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
        start = folder / "start"
        start.write_text(f"import sys\nsys.path.insert(0, {str(site)!r})\nimport agent.__main__ as main\n")
        start.write_text(f"{start.read_text()}sys.exit(main.main())\n")
        self.command = [qemu, "-L", str(tree), str(tree / "usr/bin/python3"), "-I", str(start)]
        self.config = folder / "etc" / "agent.yaml"
        self.state = folder / "state"

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.end()
    print("\n".join(stage.logs()))


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_the_agent_for_aarch64_joins_and_pushes_and_keeps_what_it_cannot_push(
    needs: Needs, bundles: Path, stage: Stage, release: str
) -> None:
    qemu = needs("qemu-aarch64-static")
    needs("debootstrap")
    needs.that(os.geteuid() == 0, "needs root, for debootstrap")
    tree = foreign_tree("arm64", ["python3"], release)
    minor = next((tree / "usr" / "bin").glob("python3.??")).name.removeprefix("python3.")
    agent = Emulated(qemu, tree, bundles / f"cp3{minor}-aarch64.tar", stage.folder)
    collector = stage.collector()
    collector.start()
    code = collector.command("join-command", "--code-only").strip()
    agent.run(
        *("join", collector.url, code, "--name", "pi-1"),
        *("--config", str(agent.config), "--state", str(agent.state)),
    )
    collector.stop()
    agent.config.write_text(agent.config.read_text() + "  every: 2s\n")
    running = stage.keep(
        Program("pi-1", [*agent.command, "run", "--config", str(agent.config)], stage.folder / "pi-1.log")
    )
    running.start()
    wait_until("a spool on disk", lambda: list(agent.state.glob("spool/*.segment")), PATIENCE_S)
    back = time.time_ns() // 1_000_000
    collector.start()
    wait_until(
        "all that was kept",
        lambda: collector.ask(
            "SELECT * FROM seen WHERE below = (SELECT count(*) FROM pushed) AND ? > (SELECT min(at) FROM pushed)",
            back - 2_000,
        ),
        PATIENCE_S,
    )
    assert running.stop(timeout_s=PATIENCE_S) == 0
    facts = json.loads(collector.ask_one("SELECT facts FROM agents"))
    assert facts["arch"] == "aarch64"
