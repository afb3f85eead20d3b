"""Containers in the kernel's own control groups of version 2, mounted where only the test can see them.

A kernel whose version 1 has the controllers keeps their counts from version 2: the tests take what there is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.checks.cgroups import LOOK_AGAIN_S, Check, Options, layout_of
from tests.agent.checks.apart import libc, must
from tests.agent.checks.dead_mount import MNT_DETACH, where_mounts_are_ours
from tests.conftest import Needs
from tests.waiting import until

WORK = """
import time
end = time.monotonic() + 30
while time.monotonic() < end:
    sum(range(100_000))
    time.sleep(0.002)
"""


class Group:
    """A group as systemd and Docker make one, and a process in it that works."""

    def __init__(self, root: Path) -> None:
        self.root, self.id = root, secrets.token_hex(32)
        self._slice = root / f"watchkeeper-{os.getpid()}-{secrets.token_hex(2)}.slice"
        self.folder = self._slice / f"docker-{self.id}.scope"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._slice.mkdir(exist_ok=True)
        wanted = {"cpu", "memory"} & self.controllers
        for place in (self.root, self._slice) if wanted else ():
            (place / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(wanted)))
        self.folder.mkdir()
        self.process = subprocess.Popen([sys.executable, "-c", WORK])
        (self.folder / "cgroup.procs").write_text(str(self.process.pid))

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        deadline = time.monotonic() + 5
        while self.folder.exists() and time.monotonic() < deadline:
            with contextlib.suppress(
                OSError
            ):  # the kernel needs a moment to see that nothing is in it any more
                self.folder.rmdir()
            time.sleep(0.01)

    def remove(self) -> None:
        self.end()
        if self._slice.exists():
            self._slice.rmdir()

    @property
    def controllers(self) -> set[str]:
        return set((self.root / "cgroup.controllers").read_text().split())

    def series(self, metric: str) -> str:
        return f'container_{metric}{{container="{self.id[:12]}"}}'


@contextlib.contextmanager
def group_in(place: Path) -> Iterator[Group]:
    must(libc.mount(b"none", bytes(place), b"cgroup2", 0, None))
    group = Group(place)
    try:
        yield group
    finally:
        group.remove()
        libc.umount2(bytes(place), MNT_DETACH)


@pytest.fixture
def with_a_group(needs: Needs, tmp_path: Path) -> Callable[[Callable[[Group], None]], None]:
    """Call something with a group, where the mount is seen."""

    def run(call: Callable[[Group], None]) -> None:
        def inside() -> None:
            with group_in(tmp_path) as group:
                call(group)

        where_mounts_are_ours(inside)

    needs.that(can_be_mounted(tmp_path), "needs root and a kernel with control groups of version 2")
    return run


def can_be_mounted(place: Path) -> bool:
    def attempt() -> None:
        with group_in(place):
            pass

    try:
        where_mounts_are_ours(attempt)
    except OSError:
        return False
    return True


def process_s(pid: int) -> float:
    """The processor time of a process, as /proc has it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_container_uses_the_processor_that_its_process_uses(
    with_a_group: Callable[[Callable[[Group], None]], None],
) -> None:
    def look(group: Group) -> None:
        group.start()
        assert group.process is not None
        check = Check(Options(), group.root)
        began_s = time.monotonic()
        check.measure(began_s)
        pid = group.process.pid
        before_s = process_s(pid)
        until(lambda: process_s(pid) - before_s >= 0.5)
        samples = check.measure(time.monotonic()).samples
        used_s, passed_s = process_s(pid) - before_s, time.monotonic() - began_s
        used_pct = 100 * used_s / passed_s / (os.cpu_count() or 1)
        assert samples[group.series("cpu_used_pct")] == pytest.approx(used_pct, rel=0.15, abs=1.5)

    with_a_group(look)


def test_its_memory_is_told_where_version_2_counts_it_and_left_out_where_it_does_not(
    with_a_group: Callable[[Callable[[Group], None]], None],
) -> None:
    def look(group: Group) -> None:
        group.start()
        found = Check(Options(), group.root).measure(0.0)
        assert found.state == "ok"
        assert (group.series("memory_bytes") in found.samples) == ("memory" in group.controllers)

    with_a_group(look)


def test_one_that_is_started_anew_is_counted(
    with_a_group: Callable[[Callable[[Group], None]], None],
) -> None:
    def look(group: Group) -> None:
        check = Check(Options(), group.root)
        seen = []
        for at_s in (0.0, 10.0, 20.0):
            group.start()
            seen.append(check.measure(at_s).samples[group.series("restarts")])
            group.end()
        assert seen == [0, 1, 2]
        assert group.series("restarts") not in check.measure(20.0 + LOOK_AGAIN_S).samples

    with_a_group(look)


def test_the_kernels_tree_is_known_for_version_2(
    with_a_group: Callable[[Callable[[Group], None]], None],
) -> None:
    def look(group: Group) -> None:
        layout = layout_of(group.root)
        assert layout is not None
        assert (layout.memory_tree, layout.cpu_file) == (group.root, "cpu.stat")

    with_a_group(look)
