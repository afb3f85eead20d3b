"""What the first version of the agent left in its spool is sent by this one, under the same numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from agent.clock import Moment
from agent.spool import Limits, Spool

WRITTEN = Path(__file__).parents[2] / "data" / "spool-1.tar.gz"
"""Six ticks of ten seconds, and six more after a restart of the host an hour later: with 0.0 to 11.0 for load1. Some
had been sent. Written once, by the first version, and never again."""
NOON, TICK_MS, HOUR_MS = 1_790_000_000_000, 10_000, 3_600_000
SENT = {0, 2, 3}
BEFORE = {tick: NOON + tick * TICK_MS for tick in range(6) if tick not in SENT}
AFTER = {100_000 + tick: NOON + HOUR_MS + tick * TICK_MS for tick in range(6)}


def test_what_the_first_version_left_is_sent_and_what_is_new_is_numbered_on(tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", WRITTEN, "-C", tmp_path], check=True)
    now = Moment("boot-2", 5_000, NOON + 2 * HOUR_MS)
    spool = Spool(tmp_path / "spool", Limits(), now)
    try:
        held = spool.oldest(now, 100, 1_000_000)
        assert {one.seq: one.then.wall_ms for one in held} == BEFORE | AFTER
        samples = [msgspec.json.decode(b"{" + one.tail.lstrip(b","))["samples"] for one in held]
        assert samples == [{"load1": load} for load in (1, 4, 5, 6, 7, 8, 9, 10, 11)]
        assert (spool.id, spool.floor) == ("ed8457432b59d34cb1c91a88e862d7f5", min(BEFORE))
        assert spool.dropped.total() == 0
        spool.done([one.seq for one in held])
        assert (spool.batches, spool.floor > max(AFTER)) == (0, True)
    finally:
        spool.close()
