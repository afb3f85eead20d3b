from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.checks import Measured
from agent.checks.process import Check, Options, process_in
from tests.agent.checks import dead_mount
from tests.agent.checks.apart import NOBODY, as_nobody, libc, must
from tests.conftest import Needs
from tests.waiting import until

COUNT, CPU, MEMORY = (f'process_{what}{{check="shop"}}' for what in ("count", "cpu_pct", "memory_bytes"))
MARK = f"86400.{os.getpid()}"
"""Our own processes are told from others by how long they would sleep."""
WHICH = f"* (command sleep {MARK})"
TICKS = 60
"""So much is used before it is compared that a moment more does not matter, however busy the machine is."""

Start = Callable[..., subprocess.Popen[bytes]]


def asking(**options: Any) -> Check:
    return Check(Options(**{"id": "shop", "name": "*"} | options))


def asked(**options: Any) -> Measured:
    return asking(**options).measure(0.0)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program that ends with the test."""
    with contextlib.ExitStack() as at_the_end:

        def run(*command: str, **more: Any) -> subprocess.Popen[bytes]:
            process = at_the_end.enter_context(subprocess.Popen(command, **more))
            at_the_end.callback(process.kill)
            return process

        yield run


def ps(what: str, *pids: int) -> list[str]:
    command = ["ps", "-o", f"{what}=", *(f"-p{pid}" for pid in pids)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_processes_are_counted_by_command_line_and_their_memory_is_as_ps_has_it(
    start: Start, needs: Needs
) -> None:
    needs("ps")
    ours = [start("sleep", MARK) for _ in range(3)]
    start("sleep", f"{MARK}1")
    deadline_s = time.monotonic() + 10
    while any(not state.startswith("S") for state in ps("stat", *(process.pid for process in ours))):
        assert time.monotonic() < deadline_s, "they are still being loaded"
    found = asked(command=f"sleep {MARK}")
    assert (found.state, found.detail, found.samples[COUNT]) == ("ok", "", 3)
    kib = sum(map(int, ps("rss", *(process.pid for process in ours))))
    assert found.samples[MEMORY] == pytest.approx(kib * 1024, rel=0.1)


def test_a_pattern_fits_the_whole_command_line(start: Start) -> None:
    start("sleep", MARK, "1")
    assert asked(command=f"*{MARK}*").samples[COUNT] == 1
    assert asked(command=f"{MARK}*").samples[COUNT] == 0
    assert asked(command=f"sleep {MARK}").samples[COUNT] == 0


def test_the_program_is_named_as_top_shows_it(start: Start, tmp_path: Path, needs: Needs) -> None:
    needs("ps")
    long = tmp_path / "a-program-(with) a long name"
    long.symlink_to("/usr/bin/sleep")
    process = start(str(long), MARK)
    assert ps("comm", process.pid)[0].startswith("a-program-")
    assert asked(name="a-program-(with) a long name", command=f"*{MARK}").samples[COUNT] == 1
    assert asked(name="a-program", command=f"*{MARK}").samples[COUNT] == 0
    assert asked(name="a-program*", command=f"*{MARK}").samples[COUNT] == 1


def test_processes_of_one_user(start: Start, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, to start a process of another user")
    start("sleep", MARK, user=NOBODY, group=NOBODY, extra_groups=[])
    start("sleep", MARK)
    assert asked(command=f"sleep {MARK}").samples[COUNT] == 2
    assert asked(command=f"sleep {MARK}", user="nobody").samples[COUNT] == 1
    assert asked(command=f"sleep {MARK}", user=str(NOBODY)).samples[COUNT] == 1
    found = asked(command=f"sleep {MARK}", user="no-such-user")
    assert (found.state, found.detail) == ("bad", "there is no user no-such-user")


@pytest.mark.parametrize(
    ("count", "options", "fault"),
    [
        (0, {}, "there is no process {which}"),
        (0, {"at_least": 2}, "there is no process {which}, expected at least 2"),
        (1, {"at_least": 2}, "1 process {which}, expected at least 2"),
        (3, {"at_most": 2}, "3 processes {which}, expected at most 2"),
        (1, {"at_least": 0, "at_most": 0}, "1 process {which}, expected at most 0"),
        (0, {"at_least": 0, "at_most": 0}, ""),
        (2, {"at_least": 2, "at_most": 2}, ""),
    ],
)
def test_too_few_and_too_many_are_bad(start: Start, count: int, options: dict[str, int], fault: str) -> None:
    for _ in range(count):
        start("sleep", MARK)
    found = asked(command=f"sleep {MARK}", **options)
    assert (found.state, found.detail) == ("bad" if fault else "ok", fault.format(which=WHICH))
    assert found.samples[COUNT] == count


def test_a_process_that_was_killed_is_missed_at_once(start: Start, needs: Needs) -> None:
    needs("ps")
    process = start("sleep", MARK)
    check = asking(command=f"sleep {MARK}")
    assert check.measure(0.0).state == "ok"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ps("stat", process.pid)[0].startswith("Z")
    assert check.measure(1.0).state == "bad", "it is there as a zombie, which does nothing any more"


def test_the_cpu_they_use_is_what_the_kernel_counts(start: Start) -> None:
    script = f"while True: {MARK}"
    check = asking(command=f"*{script}")
    first = start(sys.executable, "-c", script)
    time.sleep(0.3)
    began_s = time.monotonic()
    assert CPU not in check.measure(began_s).samples, "there was nothing to compare with"
    used_before = cpu_ticks(first.pid)
    second = start(sys.executable, "-c", script)

    def used() -> int:
        return cpu_ticks(first.pid) - used_before + cpu_ticks(second.pid)

    until(lambda: used() >= TICKS)
    now_s = time.monotonic()
    found = check.measure(now_s)
    assert found.samples[COUNT] == 2
    wanted = 100 * used() / os.sysconf("SC_CLK_TCK") / (now_s - began_s)
    assert found.samples[CPU] == pytest.approx(wanted, rel=0.3)
    first.kill()
    first.wait()
    second.kill()
    second.wait()
    assert check.measure(now_s + 1).samples[CPU] == 0


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_pid_file_leads_to_one_process(start: Start, tmp_path: Path) -> None:
    process = start("sleep", MARK)
    path = tmp_path / "shop.pid"
    path.write_text(f"{process.pid}\n")
    assert asked(pid_file=str(path)).samples[COUNT] == 1
    assert asked(pid_file=str(path), name="sleep").state == "ok"
    other = asked(pid_file=str(path), name="postgres")
    said = f"there is no process postgres (pid file {path})"
    assert (other.state, other.detail) == ("bad", said), "its number is another's now"
    process.kill()
    process.wait()
    assert asked(pid_file=str(path)).state == "bad"


@pytest.mark.parametrize("text", ["", "\n", "shop", "12x", "9" * 100])
def test_a_pid_file_without_a_process_is_bad(tmp_path: Path, text: str) -> None:
    path = tmp_path / "shop.pid"
    assert asked(pid_file=str(path)).detail == f"there is no {path}"
    path.write_text(text)
    found = asked(pid_file=str(path))
    assert found.state == "bad"
    assert found.detail in (
        f"{path} does not hold the number of a process",
        f"there is no process * (pid file {path})",
    )


def test_where_others_are_hidden_it_does_not_know_whether_there_are_any(
    start: Start, tmp_path: Path, needs: Needs
) -> None:
    mounts = os.geteuid() == 0 and dead_mount.mounts_can_be_ours()
    needs.that(mounts, "needs root that may mount a /proc of its own, which a chroot may not")
    start("sleep", MARK)

    def look() -> tuple[Measured, Measured]:
        must(libc.mount(b"proc", bytes(tmp_path), b"proc", 0, b"hidepid=2"))
        check = Check(Options(id="shop", name="sleep", command=f"sleep {MARK}"), tmp_path)
        fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)  # nobody may go by the path that leads there
        hidden = Check(Options(id="shop", name="sleep", command=f"sleep {MARK}"), Path(f"/proc/self/fd/{fd}"))
        try:
            return check.measure(0.0), as_nobody(lambda: hidden.measure(0.0))
        finally:
            os.close(fd)
            must(libc.umount2(bytes(tmp_path), dead_mount.MNT_DETACH))

    seen, hidden = dead_mount.where_mounts_are_ours(look)
    assert seen.state == "ok"
    assert (hidden.state, hidden.samples[COUNT]) == ("unknown", 0)
    words = f"there is no process sleep (command sleep {MARK}), but this user sees only its own processes (hidepid)"
    assert hidden.detail == words


def test_every_process_here_can_be_read() -> None:
    assert (asked(command="*", at_least=1).samples[COUNT] or 0) == pytest.approx(
        len([entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()]), abs=20
    )


def test_a_name_may_hold_anything() -> None:
    fields = ["S", *(str(number) for number in range(1, 50))]
    process = process_in(f"7 (a) S (b \xff) {' '.join(fields)}".encode("latin-1"))
    assert process is not None
    assert (process.pid, process.name, process.started, process.cpu) == (7, "a) S (b \ufffd", 19, 11 + 12)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"name": ""}, "length >= 1"),
        ({"name": "x", "at_least": 3, "at_most": 2}, "no number could be right"),
        ({"name": "x", "pid_file": "run/x.pid"}, r"\^\(/"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(options, Options)
