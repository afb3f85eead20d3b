"""What simulated hosts say: a host's batches as they were recorded, played over and over.

The trace that comes along is of one small machine at rest, computing and writing in turn, half a second apart and
played as if it were every interval. Its longest spells of full load were shortened, so that a fleet with which nothing
is wrong wakes nobody. One of your own is a file with one JSON object a line, which is what `watchkeeper-agent --once
--json` prints over several, or one list [time, {series: value}] a line; a name that ends in .gz is unpacked.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.wire import SERIES_PER_HOST_MAX, CheckState, parse_series

PACKAGED = Path(__file__).parent / "trace.jsonl.gz"
TICKS_MAX = 10_000
LINE_BYTES_MAX = 1024 * 1024


class Tick(Struct, frozen=True):
    """What one tick said; who sends it, when and under which number is the simulation's to say."""

    samples: dict[str, float | None]
    checks: list[CheckState] = []


_decode = msgspec.json.Decoder(Tick | tuple[float, dict[str, float | None]]).decode


def read(file: Path) -> list[Tick]:
    """The ticks of a trace. ValueError names what is wrong with it, and where."""
    ticks: list[Tick] = []
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            while line := lines.readline(LINE_BYTES_MAX):
                if line.strip():
                    ticks.append(_tick(line, f"{file}, line {len(ticks) + 1}"))
                if len(ticks) > TICKS_MAX:
                    raise ValueError(f"{file} has more than {TICKS_MAX} lines; use a part of it")
    except (OSError, EOFError) as error:
        raise ValueError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not ticks:
        raise ValueError(f"{file} is empty")
    return ticks


def _tick(line: bytes, where: str) -> Tick:
    try:
        found = _decode(line)
        tick = found if isinstance(found, Tick) else Tick(found[1])
        for name in tick.samples:
            parse_series(name)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None
    if not 0 < len(tick.samples) <= SERIES_PER_HOST_MAX:
        raise ValueError(f"{where}: {len(tick.samples)} series; 1 to {SERIES_PER_HOST_MAX} are allowed")
    return tick
