"""A disk that never answers, real as far as the kernel goes: whatever is asked of it, the others keep their tick."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import agent.checks
from agent.checks import Measured, disk, exec, file, load, log, process, textfile
from agent.options import discover
from agent.sampler import GRACE_S, Question, Sampler, Tick
from tests.agent.checks.dead_mount import can_be_made, dead_mount, where_mounts_are_ours
from tests.conftest import Needs

KINDS = discover(agent.checks)
LIMIT_S = 0.3

ON_THE_DISK: dict[str, Callable[[Path], object]] = {
    "exec": lambda place: exec.Options(command=(f"{place}/plugin",), timeout_s=LIMIT_S),
    "file": lambda place: file.Options(path=f"{place}/dump.sql", timeout_s=LIMIT_S),
    "log": lambda place: log.Options(
        path=f"{place}/app.log", patterns={"errors": "ERROR"}, timeout_s=LIMIT_S
    ),
    "process": lambda place: process.Options(name="app", pid_file=f"{place}/app.pid", timeout_s=LIMIT_S),
    "textfile": lambda place: textfile.Options(directory=str(place), timeout_s=LIMIT_S),
}


def ticks_beside(place: Path, check: agent.checks.Check, kind: str) -> tuple[Tick, Tick, float]:
    """Two ticks of a check that looks at a dead disk there, and of one that does not; how long they took."""

    def look() -> tuple[Tick, Tick, float]:
        with dead_mount(place):
            other = Question("load", "load", 5.0, load.Check(load.Options()))
            sampler = Sampler([Question(kind, kind, LIMIT_S, check), other])
            began_s = time.monotonic()
            first, second = sampler.sample(), sampler.sample()
            spent_s = time.monotonic() - began_s
            sampler.close()
            return first, second, spent_s

    return where_mounts_are_ours(look)


@pytest.fixture(autouse=True)
def fuse(needs: Needs) -> None:
    needs.that(can_be_made(), "needs root and /dev/fuse, for a disk that never answers")


@pytest.mark.parametrize("kind", ON_THE_DISK)
def test_what_is_asked_of_a_dead_disk_is_without_an_answer_and_the_others_keep_their_tick(
    tmp_path: Path, kind: str
) -> None:
    check = KINDS[kind].module.Check(ON_THE_DISK[kind](tmp_path))
    first, second, spent_s = ticks_beside(tmp_path, check, kind)
    assert spent_s < 2 * (LIMIT_S + GRACE_S) + 0.5
    for tick in (first, second):
        assert tick.samples["load1"] is not None
        assert tick.checks[0].state == "unknown"
        assert "still waiting" in tick.checks[0].detail


class Disk(disk.Check):
    """It reads the table of mounts of the thread that it is in, by way of a folder: the process itself has another."""

    def __init__(self, options: disk.Options, folder: Path) -> None:
        super().__init__(options)
        self._folder = folder

    def measure(self, at_s: float) -> Measured:
        link = self._folder / "self"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/proc/self/task/{threading.get_native_id()}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psutil, "PROCFS_PATH", str(self._folder))
            return super().measure(at_s)


def test_a_dead_disk_is_bad_and_the_others_are_told(tmp_path: Path) -> None:
    place = tmp_path / "dead"
    place.mkdir()
    options = disk.Options(include_mounts=("/", str(place)), mount_timeout_s=LIMIT_S / 2, timeout_s=LIMIT_S)
    for tick in ticks_beside(place, Disk(options, tmp_path), "disk")[:2]:
        assert tick.samples["load1"] is not None
        assert tick.samples[f'disk_used_pct{{mount="{place}"}}'] is None
        assert (tick.checks[0].state, tick.checks[0].detail) == ("bad", f"{place} does not answer")


def test_every_kind_that_is_told_where_to_look_is_among_them() -> None:
    told = {"path", "directory", "pid_file", "command"}
    kinds = {name for name, kind in KINDS.items() if told & set(kind.options.__struct_fields__)}
    assert kinds == set(ON_THE_DISK)
