"""How much memory and swap is used and how much could still be had.

used = total less available; what the kernel keeps as cache and would give back counts as available. Without any swap
there are no swap series.
"""

from __future__ import annotations

from typing import ClassVar

import psutil

from agent.checks import CheckOptions, Measured

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
    def __init__(self, options: Options) -> None:
        pass

    def measure(self, at_s: float) -> Measured:
        memory = psutil.virtual_memory()
        used = memory.total - memory.available
        samples: dict[str, float | None] = {
            "memory_used_pct": 100 * used / memory.total,
            "memory_used_bytes": used,
            "memory_available_bytes": memory.available,
            "memory_total_bytes": memory.total,
        }
        swap = psutil.swap_memory()
        if swap.total:
            samples["swap_used_pct"] = 100 * swap.used / swap.total
            samples["swap_used_bytes"] = swap.used
        return Measured(samples)
