"""Records the trace that the benchmarks replay: `python -m tests.bench.record`.

A real agent samples this very host, every half second for some minutes, while it is idle, computes, writes to its disk
and is asked for pages in turn. What it pushes is kept as it was sent, one batch a line, but for numbers, rounded to
the digits that say something, which keeps the file small, and but for most of the ticks of a busy CPU: a host that
spends half of its time there is not what a fleet is made of.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent import wire
from tests.agent.receiver import TOKEN, Receiver
from tests.bench.trace import FILE, Recorded
from tests.system.far_side import Service
from tests.system.harness import Agent, get

TICKS = 600
EVERY_S = 0.5
DIGITS = 6
BUSY_PCT = 80
ONE_BUSY_IN = 20
PAGES, PORTS = 6, 2
"""So many http and tcp checks bring an ordinary host to about 70 series."""

BURN = "while True: sum(range(10_000))"
WRITE = """
import pathlib, sys, time
file = pathlib.Path(sys.argv[1])
while True:
    file.write_bytes(bytes(16 * 2**20))
    time.sleep(0.2)
"""
FILL = "import time; held = bytearray(b'x') * 2**29; time.sleep(3600)"
WORK: dict[str, Sequence[str]] = {
    "rest": (),
    "compute": (BURN,),
    "write": (WRITE,),
    "hold memory": (FILL, WRITE),
}
SPELL_S = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.record", description=__doc__)
    parser.add_argument("--ticks", type=int, default=TICKS)
    parser.add_argument("--file", type=Path, default=FILE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchkeeper-record-") as folder:
        batches = mostly_calm(record(Path(folder), options.ticks))
    with gzip.GzipFile(options.file, "wb", mtime=0) as file:
        for batch in batches:
            file.write(msgspec.json.encode(recorded(batch)) + b"\n")
    size = options.file.stat().st_size
    print(f"{options.file}: {len(batches)} ticks of {len(batches[0].samples)} series, {size} bytes")


def recorded(batch: wire.Batch) -> Recorded:
    samples = {name: value and float(f"{value:.{DIGITS}g}") for name, value in batch.samples.items()}
    checks = [msgspec.structs.replace(check, ms=check.ms and round(check.ms, 2)) for check in batch.checks]
    return Recorded(samples, checks)


def mostly_calm(batches: list[wire.Batch]) -> list[wire.Batch]:
    """One spell of a busy CPU amid the calm."""
    busy = [batch for batch in batches if (batch.samples["cpu_used_pct"] or 0) > BUSY_PCT]
    calm = [batch for batch in batches if batch not in busy]
    half = len(calm) // 2
    return [*calm[:half], *busy[: len(calm) // ONE_BUSY_IN], *calm[half:]]


def record(folder: Path, ticks: int) -> list[wire.Batch]:
    receiver, service = Receiver(), Service()
    service.start()
    agent = Agent(
        folder / "agent",
        {"agent": {"collector": receiver.url, "token": TOKEN}},
        checks=checks(service),
        every=f"{round(EVERY_S * 1000)}ms",
    )
    agent.start()
    try:
        for name, programs in itertools.cycle(WORK.items()):
            print(f"{len(receiver.got)} of {ticks} ticks; for {SPELL_S} s: {name}", flush=True)
            work(programs, folder, service, lambda: len(receiver.batches) > ticks)
            if len(receiver.batches) > ticks:
                break
    finally:
        agent.end()
        service.stop()
        receiver.close()
    return sorted(receiver.batches, key=lambda batch: batch.seq)[
        1 : ticks + 1
    ]  # the first lacks what is per second


def checks(service: Service) -> list[Mapping[str, Any]]:
    pages = [{"kind": "http", "id": f"page-{number}", "url": service.url} for number in range(PAGES)]
    ports = [
        {"kind": "tcp", "id": f"port-{number}", "host": "127.0.0.1", "port": service.port}
        for number in range(PORTS)
    ]
    return [*pages, *ports, {"kind": "network", "exclude_nics": ["ifb*"]}]


def work(programs: Sequence[str], folder: Path, service: Service, enough: Any) -> None:
    """One spell of work, with a few pages fetched beside it."""
    children = [subprocess.Popen([sys.executable, "-c", text, str(folder / "written")]) for text in programs]
    until_s = time.monotonic() + SPELL_S
    try:
        while time.monotonic() < until_s and not enough():
            get(service.url)
            time.sleep(0.1)
    finally:
        for child in children:
            child.kill()
            child.wait()


if __name__ == "__main__":
    main()
