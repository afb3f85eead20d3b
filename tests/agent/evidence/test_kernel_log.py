"""The kernel's last words."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent.clock import Moment, system_clock
from agent.evidence.kernel_log import last_lines, line
from tests.conftest import Needs

NOON = 1_790_000_000_000


def test_a_record_becomes_a_line_with_its_time() -> None:
    record = b"6,339,5140900,-;NET: Registered PF_INET6\n SUBSYSTEM=net\n"
    assert line(record, NOON) == "2026-09-21T14:13:25Z NET: Registered PF_INET6"
    assert line(b"6,339,5140900,-,caller=T1;\xff\x1b[31mred", NOON).startswith("2026-09-21T14:13:25Z ")
    assert line(b"6,339,5140900,-,caller=T1;\xff\x1b[31mred", NOON).isprintable()
    assert line(b"no record at all", NOON) == ""


def test_of_many_lines_the_last_are_kept(tmp_path: Path) -> None:
    pipe = tmp_path / "kmsg"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    os.write(writer, b"4,1,1000000,-;only one\n")
    lines = last_lines(Moment("b", 0, NOON + time.monotonic_ns() // 1_000_000), pipe)
    os.close(writer)
    os.close(reader)
    assert lines == ["2026-09-21T14:13:21Z only one"]


def test_a_log_that_is_closed_to_us_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        last_lines(Moment("b", 0, NOON), tmp_path / "none")


def test_the_lines_are_those_of_this_kernel(needs: Needs) -> None:
    needs.that(may_read_it(), "needs a kernel log that this user may read")
    found = last_lines(system_clock()())
    assert 0 < len(found) <= 20
    assert all(text[:2] == "20" and text[19] == "Z" for text in found)


def may_read_it() -> bool:
    """Its mode does not tell: the kernel may keep it to root all the same (kernel.dmesg_restrict)."""
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
