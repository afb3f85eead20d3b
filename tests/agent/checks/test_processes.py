from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.checks.processes import FEW, Check, Options, told_by_stat, zombies_in
from tests.conftest import Needs
from tests.system.programs import wait_until

STAT = """\
cpu  68707 0 17788 421621 2655 0 1918 15 0 0
intr 2952308 0 0 0
ctxt 6728638
btime 1795147560
processes 72167
procs_running 3
procs_blocked 7
softirq 3554738 0 109736 5
"""


def ps(*columns: str) -> list[str]:
    command = ["ps", "--no-headers", "-e", "-o", ",".join(columns)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def zombie() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is dead and whose parent has not asked how it ended."""
    process = subprocess.Popen(["sleep", "0"])
    while Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "Z":
        pass
    yield process
    process.wait()


# Other programs come and go between two looks, more of them while other tests run; so each of these may be tried again.


def test_it_agrees_with_ps(needs: Needs) -> None:
    needs("ps")

    def agree() -> bool:
        samples = Check(Options()).measure(0.0).samples
        assert samples["processes_running"] is not None
        assert samples["processes_running"] >= 1, "this test runs"
        threads = sum(int(count) for count in ps("nlwp")) - 1
        return samples["threads"] == pytest.approx(threads, abs=16) and samples["processes"] == pytest.approx(
            len(ps("pid")) - 1, abs=8
        )

    wait_until("the same numbers", agree)


def test_it_sees_what_is_started_and_what_runs() -> None:
    def are_seen() -> bool:
        check = Check(Options())
        before = check.measure(100.0).samples["processes"]
        sleepers = [subprocess.Popen(["sleep", "60"]) for _ in range(30)]
        try:
            samples = check.measure(110.0).samples
        finally:
            for sleeper in sleepers:
                sleeper.kill()
                sleeper.wait()
        assert samples["processes_started_per_s"] is not None
        assert samples["processes_started_per_s"] >= 3
        return samples["processes"] == pytest.approx((before or 0) + 30, abs=8)

    wait_until("thirty more", are_seen)


def test_a_zombie_is_counted(zombie: subprocess.Popen[bytes], needs: Needs) -> None:
    needs("ps")
    samples = Check(Options()).measure(0.0).samples
    assert samples["processes_zombie"] == pytest.approx(sum("Z" in state for state in ps("stat")), abs=2)
    assert zombies_in("/proc")[0] >= 1


def test_zombies_are_looked_for_only_when_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[str] = []

    def walk(proc: str) -> tuple[int, int]:
        walks.append(proc)
        return 4 + len(walks), 9_999

    monkeypatch.setattr("agent.checks.processes.zombies_in", walk)
    check = Check(Options(zombies_every_s=60.0))
    found = [
        check.measure(at_s).samples["processes_zombie"] for at_s in (1000.0, 1010.0, 1059.0, 1060.0, 1070.0)
    ]
    assert found == [5, 5, 5, 6, 6]
    assert len(walks) == 2


def test_without_a_time_nobody_looks_for_zombies() -> None:
    samples = Check(Options(zombies_every_s=0.0)).measure(0.0).samples
    assert "processes_zombie" not in samples
    assert samples["processes"] is not None


def test_a_process_may_be_called_anything(tmp_path: Path) -> None:
    for pid, stat in {
        "1": "1 (systemd) S 0 1 1",
        "7": "7 (a) S (b) Z 1 7 7",
        "8": "8 (Z) Z) S 1 8 8",
        "9": "9 (worker) Z 7 9 9",
    }.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(stat + "\n")
    (tmp_path / "10").mkdir()  # ended while we looked
    assert zombies_in(str(tmp_path)) == (2, 4)


def test_what_stat_tells_of_processes() -> None:
    assert told_by_stat(STAT) == {"processes": 72_167, "procs_running": 3, "procs_blocked": 7}


def test_a_user_who_can_see_few_processes_is_told_that_zombies_are_counted_among_those(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.checks.processes.zombies_in", lambda proc: (0, 2**22))
    assert Check(Options()).measure(0.0).detail == ""
    monkeypatch.setattr("agent.checks.processes.zombies_in", lambda proc: (0, 0))
    found = Check(Options()).measure(0.0)
    assert (found.state, found.detail) == ("ok", FEW)
    assert Check(Options(zombies_every_s=0.0)).measure(0.0).detail == ""
