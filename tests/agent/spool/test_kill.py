"""A writer that is killed for real, and two threads at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.clock import Moment
from agent.spool import Limits, Spool
from tests.agent.spool.life import EVERYTHING, NOON, Clock, everything, fill, loads

WRITER = """
import sys
from pathlib import Path
from agent import wire
from agent.clock import system_clock, Moment
from agent.spool import Limits, Spool
now = system_clock()()
spool = Spool(Path(sys.argv[1]), Limits(bytes_max=2**26), now)
for number in range(10**9):
    now = Moment(now.boot_id, now.boot_ms + 10_000, now.wall_ms + 10_000)
    spool.add(wire.Batch(0, 0, 0, 10_000, {"load1": number}, facts={"filler": "x" * 900}), now)
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [5, 40, 300, 1100])
def test_kill_9_in_the_middle_of_writing_loses_the_last_two_at_most(after: int, folder: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= after:
                break
        writer.kill()
        last = max([after, *map(int, writer.stdout.read().split("\n")[:-1])])
    spool = Spool(folder, Limits(age_ms_max=2**60), Moment("next", 1, NOON * 2))
    left = loads(everything(spool, Moment("next", 1, NOON * 2)))
    assert left == list(range(len(left)))
    assert len(left) >= last - 1
    assert spool.newest() is None


def test_two_threads_may_use_it_at_once(spool: Spool, clock: Clock) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=run)

    taken: list[int] = []
    filled = threading.Event()

    def send() -> None:
        while not filled.is_set() or spool.batches:
            held = spool.oldest(clock.now(), 7, EVERYTHING)
            spool.done([one.seq for one in held])
            taken.extend(one.seq for one in held)

    def sample() -> None:
        fill(spool, clock, 500)
        filled.set()

    threads = [guarded(sample), guarded(send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert taken == list(range(500))
