from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agent.checks.cgroups import LOOK_AGAIN_S, RESTARTS_WITHIN_S, Check, Options

DATA = Path(__file__).parents[2] / "data"
ID = "7d" * 32
NAME = ID[:12]
MIB = 2**20


class Groups:
    """Control groups in a folder, with the files that the kernel would have in them."""

    def __init__(self, root: Path, version: int) -> None:
        self.root, self.version = root, version
        root.mkdir()
        if version == 1:
            for controller in ("memory", "cpuacct"):
                (root / controller / "docker").mkdir(parents=True)
        else:
            (root / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
            (root / "system.slice").mkdir()

    def folders(self, id: str) -> tuple[Path, Path]:
        """Where a container's memory and processor time are counted."""
        if self.version == 2:
            return (self.root / f"system.slice/docker-{id}.scope",) * 2
        return self.root / f"memory/docker/{id}", self.root / f"cpuacct/docker/{id}"

    def run(self, id: str = ID, *, cpu_s: float = 0.0, limit_bytes: int | None = None) -> None:
        """A container with 97 MiB of memory in use, of which 32 are files that could be given back."""
        memory, cpu = self.folders(id)
        for folder in (memory, cpu):
            folder.mkdir(exist_ok=True)
        recorded = (DATA / f"memory_stat_v{self.version}.txt").read_text()
        (memory / "memory.stat").write_text(recorded)
        if self.version == 2:
            (memory / "memory.current").write_text(f"{97 * MIB}\n")
            (memory / "memory.max").write_text(f"{limit_bytes or 'max'}\n")
            (cpu / "cpu.stat").write_text(f"usage_usec {round(cpu_s * 1e6)}\nuser_usec 1\nsystem_usec 2\n")
        else:
            (memory / "memory.usage_in_bytes").write_text(f"{97 * MIB}\n")
            (memory / "memory.limit_in_bytes").write_text(f"{limit_bytes or 9223372036854771712}\n")
            (cpu / "cpuacct.usage").write_text(f"{round(cpu_s * 1e9)}\n")

    def end(self, id: str = ID) -> None:
        for folder in set(self.folders(id)):
            # Kept under a name that is no container's, so that its number is not given to the next.
            folder.rename(folder.with_name(f"{folder.name}.ended-{len(list(folder.parent.iterdir()))}.mount"))


@pytest.fixture(params=[1, 2], ids=["version 1", "version 2"])
def groups(request: pytest.FixtureRequest, tmp_path: Path) -> Groups:
    return Groups(tmp_path / "cgroup", request.param)


@pytest.fixture
def check(groups: Groups, tmp_path: Path) -> Check:
    return Check(Options(), groups.root, tmp_path / "docker")


def series(metric: str, name: str = NAME) -> str:
    return f'container_{metric}{{container="{name}"}}'


def test_what_a_container_uses(groups: Groups, check: Check) -> None:
    groups.run(limit_bytes=130 * MIB, cpu_s=100)
    assert check.measure(0.0).samples == {
        series("memory_bytes"): 65 * MIB,
        series("memory_used_pct"): 50,
        series("restarts"): 0,
    }
    groups.run(limit_bytes=130 * MIB, cpu_s=105)
    used = check.measure(10.0).samples[series("cpu_used_pct")]
    assert used == pytest.approx(100 * 0.5 / (os.cpu_count() or 1))


def test_without_a_limit_none_is_used_up(groups: Groups, check: Check) -> None:
    groups.run()
    assert series("memory_used_pct") not in check.measure(0.0).samples


def test_a_limit_that_is_changed_is_seen_in_a_while(groups: Groups, check: Check) -> None:
    groups.run()
    check.measure(0.0)
    groups.run(limit_bytes=65 * MIB)
    assert check.measure(LOOK_AGAIN_S).samples[series("memory_used_pct")] == 100


def test_a_container_that_ends_is_gone_and_a_new_one_is_seen_in_a_while(groups: Groups, check: Check) -> None:
    groups.run()
    check.measure(0.0)
    groups.end()
    assert check.measure(10.0).samples == {}
    groups.run("5e" * 32)
    check.measure(20.0)
    assert series("memory_bytes", "5e5e5e5e5e5e") in check.measure(20.0 + LOOK_AGAIN_S).samples


def test_a_container_that_is_started_anew_again_and_again_shows_it(groups: Groups, check: Check) -> None:
    groups.run(cpu_s=50)
    seen = []
    for tick in range(5):
        found = check.measure(10.0 * tick)
        seen.append(found.samples[series("restarts")])
        groups.end()
        groups.run(cpu_s=1)
    assert seen == [0, 1, 2, 3, 4]
    assert check.measure(60.0).samples[series("restarts")] == 5
    assert check.measure(RESTARTS_WITHIN_S + 15.0).samples[series("restarts")] == 4
    assert check.measure(RESTARTS_WITHIN_S + 100.0).samples[series("restarts")] == 0


def test_a_container_that_comes_back_after_a_while_was_started_anew(groups: Groups, check: Check) -> None:
    groups.run()
    check.measure(0.0)
    groups.end()
    check.measure(10.0)
    check.measure(20.0)
    groups.run()
    assert check.measure(20.0 + LOOK_AGAIN_S).samples[series("restarts")] == 1


def test_the_time_of_its_last_life_is_not_counted_against_it(groups: Groups, check: Check) -> None:
    groups.run(cpu_s=500)
    check.measure(0.0)
    groups.end()
    groups.run(cpu_s=0)
    assert series("cpu_used_pct") not in check.measure(10.0).samples


def test_what_is_not_counted_is_left_out_and_the_rest_is_told(groups: Groups, check: Check) -> None:
    groups.run()
    memory, _ = groups.folders(ID)
    (memory / "memory.stat").unlink()
    assert check.measure(0.0).samples == {series("restarts"): 0}
    assert series("cpu_used_pct") in check.measure(1.0).samples


def test_containers_are_chosen_by_name_and_there_is_a_most(groups: Groups, tmp_path: Path) -> None:
    for number in range(10, 20):
        groups.run(f"{number}" * 32)

    def names(options: Options) -> list[str]:
        samples = Check(options, groups.root, tmp_path).measure(0.0).samples
        return [name.split('"')[1][:2] for name in samples if "restarts" in name]

    assert len(names(Options())) == 10
    assert names(Options(include_containers=("12*", "15*"))) == ["12", "15"]
    assert len(names(Options(exclude_containers=("12*",)))) == 9
    few = Check(Options(containers_max=3), groups.root, tmp_path).measure(0.0)
    assert len(few.samples) == 6
    assert (few.state, few.detail) == ("ok", "of 10 containers only 3 are told of")


def test_containers_that_are_gone_are_not_remembered_without_end(
    groups: Groups, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.checks.cgroups.REMEMBERED_MAX", 20)
    for number in range(60):
        groups.run(f"{number:02}" * 32)
        check.measure(number * LOOK_AGAIN_S)
        groups.end(f"{number:02}" * 32)
    assert len(check._restarts) <= 21


def test_a_host_without_containers_has_nothing_to_tell(groups: Groups, check: Check) -> None:
    found = check.measure(0.0)
    assert (found.samples, found.state, found.detail) == ({}, "ok", "")


def test_a_kernel_without_control_groups_is_fine(tmp_path: Path) -> None:
    found = Check(Options(), tmp_path).measure(0.0)
    assert (found.samples, found.state, found.detail) == ({}, "ok", "this kernel has no control groups")


def test_version_1_is_read_where_version_2_has_no_controllers(tmp_path: Path) -> None:
    groups = Groups(tmp_path / "cgroup", 1)
    groups.run()
    (groups.root / "unified").mkdir()
    (groups.root / "unified/cgroup.controllers").write_text("\n")
    assert series("memory_bytes") in Check(Options(), groups.root, tmp_path).measure(0.0).samples
    shutil.rmtree(groups.root / "cpuacct")
    assert series("memory_bytes") in Check(Options(), groups.root, tmp_path).measure(0.0).samples
