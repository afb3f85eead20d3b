"""How much memory and swap is used and how much could still be had.

used = total less available; what the kernel keeps as cache and would give back counts as available. Without any swap
there are no swap series.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import read

MEMINFO = Path("/proc/meminfo")
FIELDS = re.compile(r"^(MemTotal|MemAvailable|SwapTotal|SwapFree): +([0-9]+) kB$", re.MULTILINE)
SERIES = {
    "memory_used_pct": "How much of the memory is used; cache that the kernel would give back counts as free.",
    "memory_used_bytes": "How much memory is used; cache that the kernel would give back counts as free.",
    "memory_available_bytes": "How much memory programs could still have without swapping.",
    "memory_total_bytes": "How much memory there is.",
    "swap_used_pct": "How much of the swap is used.",
    "swap_used_bytes": "How much swap is used.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, meminfo: Path = MEMINFO) -> None:
        self._meminfo = meminfo

    def measure(self, at_s: float) -> Measured:
        told = {name: int(kib) * 1024 for name, kib in FIELDS.findall(read(self._meminfo))}
        total, available = told["MemTotal"], told["MemAvailable"]
        samples: dict[str, float | None] = {
            "memory_used_pct": 100 * (total - available) / total,
            "memory_used_bytes": total - available,
            "memory_available_bytes": available,
            "memory_total_bytes": total,
        }
        if swap := told["SwapTotal"]:
            used = swap - told["SwapFree"]
            samples["swap_used_pct"] = 100 * used / swap
            samples["swap_used_bytes"] = used
        return Measured(samples)
