"""How much of the time work stood still for want of CPU, memory or disk (the kernel's PSI, 10 s averages).

some = at least one process stood still, full = all of them did.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured

FOLDER = Path("/proc/pressure")
SERIES = {
    "pressure_cpu_some_pct": "How much of the time at least one process stood still for want of CPU.",
    "pressure_memory_some_pct": "How much of the time at least one process stood still for want of memory.",
    "pressure_memory_full_pct": "How much of the time all processes stood still for want of memory.",
    "pressure_io_some_pct": "How much of the time at least one process stood still waiting for disks.",
    "pressure_io_full_pct": "How much of the time all processes stood still waiting for disks.",
}
SHARES = {
    "cpu": {"some": "pressure_cpu_some_pct"},
    "memory": {"some": "pressure_memory_some_pct", "full": "pressure_memory_full_pct"},
    "io": {"some": "pressure_io_some_pct", "full": "pressure_io_full_pct"},
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, folder: Path = FOLDER) -> None:
        self._folder = folder

    def measure(self, at_s: float) -> Measured:
        samples: dict[str, float | None] = {}
        try:
            for resource, series in SHARES.items():
                averages = ten_second_averages((self._folder / resource).read_text())
                samples |= {name: averages[share] for share, name in series.items() if share in averages}
        except OSError as error:
            # Older than 4.20, or built or started without PSI: then the files are missing or refuse to be read.
            return Measured({}, detail=f"this kernel does not tell its pressure ({error.strerror})")
        return Measured(samples)


def ten_second_averages(text: str) -> dict[str, float]:
    """`some avg10=1.25 avg60=… total=…` as {"some": 1.25}, one entry for each line."""
    lines = (line.split() for line in text.splitlines())
    return {share: float(avg10.removeprefix("avg10=")) for share, avg10, *_ in lines}
