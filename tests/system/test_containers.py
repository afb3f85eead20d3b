"""What the agent sees of a container, against the kernel's own groups: made as a container's runtime makes them."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.checks.cgroups import CGROUPS, Check, Layout, Options, layout_of
from tests.conftest import Needs

WORK = """
import time
memory = b"x" * 60_000_000
end = time.monotonic() + 30
while time.monotonic() < end:
    sum(range(20_000))
    time.sleep(0.002)
"""


class RealContainer:
    """A group of the kernel that is called like one of Docker's, and a process in it that works."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.id = secrets.token_hex(32)
        self.folders = {
            tree / "docker" / self.id for tree in (layout.memory_tree.resolve(), layout.cpu_tree.resolve())
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for folder in self.folders:
            folder.mkdir(parents=True)
        self.process = subprocess.Popen([sys.executable, "-c", f"input()\n{WORK}"], stdin=subprocess.PIPE)
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(self.process.pid))
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.close()

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for folder in self.folders:
            remove(folder)

    @property
    def name(self) -> str:
        return self.id[:12]


def remove(folder: Path) -> None:
    """Remove a group; the kernel may need a moment to see that nothing is in it any more."""
    deadline = time.monotonic() + 5
    while folder.exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            folder.rmdir()
        time.sleep(0.01)


@pytest.fixture
def container(needs: Needs) -> Iterator[RealContainer]:
    layout = layout_of(CGROUPS)
    needs.that(layout is not None and os.getuid() == 0, "needs root, to make control groups")
    assert layout is not None
    container = RealContainer(layout)
    there_before = {folder.parent for folder in container.folders if folder.parent.exists()}
    if layout.memory_tree == layout.cpu_tree:
        (layout.memory_tree / "docker").mkdir(exist_ok=True)
        (layout.memory_tree / "docker/cgroup.subtree_control").write_text("+memory +cpu")
    yield container
    container.end()
    for folder in {folder.parent for folder in container.folders} - there_before:
        remove(folder)


def process_seconds(pid: int) -> float:
    """The processor time of a process, as /proc has it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_container_uses_what_its_process_uses(container: RealContainer) -> None:
    container.start()
    assert container.process is not None
    pid = container.process.pid
    deadline = time.monotonic() + 10
    while resident_bytes(pid) < 60_000_000:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    check = Check(Options())
    began_s = time.monotonic()
    check.measure(began_s)
    before_s = process_seconds(pid)
    time.sleep(2)
    samples = check.measure(time.monotonic()).samples
    used_s, passed_s = process_seconds(pid) - before_s, time.monotonic() - began_s
    label = f'{{container="{container.name}"}}'
    assert samples[f"container_cpu_used_pct{label}"] == pytest.approx(
        100 * used_s / passed_s / (os.cpu_count() or 1), rel=0.15, abs=1.5
    )
    # What it has in common with others, such as the interpreter itself, was counted for whoever read it first.
    assert samples[f"container_memory_bytes{label}"] == pytest.approx(resident_bytes(pid), abs=12_000_000)
    assert f"container_memory_used_pct{label}" not in samples


def test_a_limit_that_docker_sets_is_seen(container: RealContainer) -> None:
    container.start()
    (memory,) = (folder for folder in container.folders if (folder / container.layout.limit_file).exists())
    (memory / container.layout.limit_file).write_text(str(256 * 2**20))
    samples = Check(Options()).measure(0.0).samples
    label = f'{{container="{container.name}"}}'
    used = samples[f"container_memory_bytes{label}"]
    assert used is not None
    assert samples[f"container_memory_used_pct{label}"] == pytest.approx(100 * used / (256 * 2**20))


def test_a_container_that_is_killed_and_started_anew_is_counted(container: RealContainer) -> None:
    check = Check(Options())
    seen = []
    for at_s in (0.0, 10.0, 20.0):
        container.start()
        seen.append(check.measure(at_s).samples[f'container_restarts{{container="{container.name}"}}'])
        container.end()
    assert seen == [0, 1, 2]
    assert not [name for name in check.measure(30.0).samples if container.name in name]
