"""A real host's batches, recorded once; each simulated host replays them from its own offset."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.wire import CheckState

FILE = Path(__file__).parent.parent / "data" / "host-pushes.jsonl.gz"


class Recorded(Struct, frozen=True):
    """What one tick said; who sent it, when and under which number is the replay's to say."""

    samples: dict[str, float | None]
    checks: list[CheckState]


@cache
def ticks() -> list[Recorded]:
    """The ticks that have all of the series which most of them have, so that every batch is as large as the others."""
    with gzip.open(FILE) as file:
        found = [msgspec.json.decode(line, type=Recorded) for line in file]
    usual = max((tick.samples for tick in found), key=len).keys()
    return [tick for tick in found if tick.samples.keys() == usual]
