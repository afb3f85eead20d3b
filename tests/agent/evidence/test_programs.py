"""Who takes the CPU and the memory: of this very host, and of processes that go away meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.evidence.programs import command, greediest, look, seen
from agent.net.dial import Deadline
from agent.wire import Program

BUSY = "import sys\nblock = bytearray(b'x') * (700 << 20)\nprint('ready', flush=True)\nwhile True: pass"


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY, "--password=hush"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def of(programs: list[Program], pid: int) -> Program:
    return next(program for program in programs if program.pid == pid)


def test_a_busy_and_large_program_is_among_the_first(busy: subprocess.Popen[str]) -> None:
    by_cpu, by_memory = greediest(Deadline(10))
    assert of(by_cpu, busy.pid).cpu_pct > 5
    found = of(by_memory, busy.pid)
    assert found.memory_bytes > 700 << 20
    assert "hush" not in found.command
    assert found.command.startswith(sys.executable)
    assert len(by_cpu) <= 8
    assert [p.memory_bytes for p in by_memory] == sorted((p.memory_bytes for p in by_memory), reverse=True)


def write(folder: Path, pid: int, name: str, ticks: int, began: int = 7, pages: int = 10) -> None:
    (folder / str(pid)).mkdir(exist_ok=True)
    zeros = " 0" * 7
    text = f"{pid} ({name}) S 1 1 1{zeros} {ticks} 0 0 0 20 0 1 0 {began} 1000 {pages} 0\n"
    (folder / str(pid) / "stat").write_text(text)
    (folder / str(pid) / "cmdline").write_bytes(f"/usr/bin/{name}\0-v\0".encode())


def test_only_a_process_that_was_there_before_has_a_share_of_the_cpu(tmp_path: Path) -> None:
    for pid, ticks in ((10, 100), (11, 100), (12, 100)):
        write(tmp_path, pid, f"p{pid}", ticks)
    (tmp_path / "self").mkdir()

    def meanwhile(seconds: float) -> None:
        time.sleep(0.05)
        write(tmp_path, 10, "p10", 1_100, pages=500)
        write(tmp_path, 11, "p11", 9_000, began=8)  # another process by the same number
        write(tmp_path, 13, "p13", 9_000, pages=9_000)
        (tmp_path / "12" / "stat").unlink()

    by_cpu, by_memory = greediest(Deadline(10), tmp_path, meanwhile)
    assert [program.pid for program in by_cpu] == [10]
    assert by_cpu[0].cpu_pct > 50
    assert [program.pid for program in by_memory] == [13, 10, 11]
    assert by_memory[0].command == "/usr/bin/p13 -v"


def test_a_name_may_hold_anything() -> None:
    zeros = b" 0" * 7
    found = seen(b"7 (a) b (\xff\n) S 1 1 1" + zeros + b" 30 12 0 0 20 0 1 0 99 1000 5 0\n", 4096)
    assert (found.began, found.ticks, found.memory_bytes) == (99, 42, 5 * 4096)
    assert found.name.isprintable()
    assert found.name.startswith("a) b (")


def test_the_kernels_own_have_their_name_in_brackets_and_what_is_gone_nothing(tmp_path: Path) -> None:
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "cmdline").write_bytes(b"")
    assert command(2, "kthreadd", tmp_path) == "[kthreadd]"
    assert command(3, "gone", tmp_path) == ""


def test_a_long_command_is_cut(tmp_path: Path) -> None:
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "cmdline").write_bytes(b"x\0" * 100_000)
    assert len(command(2, "x", tmp_path)) == 200


def test_a_host_with_more_processes_than_the_time_allows_is_given_up(tmp_path: Path) -> None:
    write(tmp_path, 10, "p", 1)
    deadline = Deadline(0.001)
    time.sleep(0.01)
    with pytest.raises(TimeoutError):
        look(tmp_path, deadline)
    assert os.getpid() in look(Path("/proc"), Deadline(10))
