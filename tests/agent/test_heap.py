"""Memory as the kernel counts it, in interpreters of their own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.conftest import Needs
from tests.system.programs import ROOT, environ

HOLES = """
from agent import heap
from agent.facts import resident_bytes

holes = [bytearray(100_000) for _ in range(200)]
beyond = bytearray(100_000)
del holes
before = resident_bytes()
heap.give_back()
print(before - resident_bytes())
"""
THREADS = """
import sys, threading
from pathlib import Path
from agent import heap

if sys.argv[1] == "shared":
    heap.share_one()
done, taken = threading.Event(), threading.Barrier(9)
def work():
    mine = [bytearray(1_000) for _ in range(100)]
    taken.wait()
    done.wait()
for _ in range(8):
    threading.Thread(target=work).start()
taken.wait()
print(int(Path("/proc/self/statm").read_text().split()[0]) * 4096)
done.set()
"""


def said(program: str, *arguments: str) -> int:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


@pytest.fixture(autouse=True)
def glibc(needs: Needs) -> None:
    needs.that(platform.libc_ver()[0] == "glibc", "needs glibc, of whose heaps this is")


def test_what_is_free_goes_back_to_the_system() -> None:
    assert said(HOLES) > 15_000_000


def test_threads_that_share_a_heap_reserve_none_of_their_own() -> None:
    assert said(THREADS, "each") - said(THREADS, "shared") > 4 * 60_000_000
