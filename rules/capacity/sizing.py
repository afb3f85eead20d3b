"""Whether a host is too large or too small for what it does, and what the difference costs.

It is judged by what it needs nearly always (p95) and at its peaks (p99), each with room to spare, and only after a
week: Mondays come too.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

DAYS_MIN = 7.0
CPU_P95, CPU_P99 = 0.65, 0.90
"""What share of its processors a host that is of the right size uses nearly always, and at its peaks."""
MEMORY_P95, MEMORY_P99 = 0.80, 0.90
WORTH_IT = 2 / 3
"""A host is too large only where this share of what it has would do: below it no size fits."""
GIB = 1024**3
MEMORY_SIZES_GIB = (
    0.5,
    1,
    2,
    4,
    6,
    8,
    12,
    16,
    24,
    32,
    48,
    64,
    96,
    128,
    192,
    256,
    384,
    512,
    768,
    1024,
    1536,
    2048,
)
CORE_SIZES = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


class Prices(Struct, frozen=True, kw_only=True):
    """What hosts cost; without prices no money is spoken of.

    core: a month of one core
    gib: a month of one GiB of memory
    currency: what the prices are in
    """

    core: Annotated[float, Meta(ge=0)] = 0.0
    gib: Annotated[float, Meta(ge=0)] = 0.0
    currency: str = "EUR"

    def of(self, cores: float, memory_gib: float) -> float:
        return self.core * cores + self.gib * memory_gib


class Use(Struct, frozen=True):
    """What a host used over some days, in shares of what it has, from 0 to 1; NaN where that is not known."""

    cpu_p95: float
    cpu_p99: float
    memory_p95: float
    memory_p99: float
    days: float


class Size(Struct, frozen=True):
    cores: float
    memory_gib: float


Fit = Literal["too_large", "too_small", "right", "unknown"]


class Sizing(Struct, frozen=True):
    """`wanted` is the size that would fit, None when unknown; `per_month` what it would cost more, below 0 less, None
    without prices. `reason` is a sentence."""

    fit: Fit
    has: Size
    wanted: Size | None
    per_month: float | None
    currency: str
    reason: str


def right_size(use: Use, has: Size, prices: Prices | None = None) -> Sizing:
    """What size a host should have for what it does."""
    currency = prices.currency if prices else ""
    unknown = _unknown(use, has)
    if unknown:
        return Sizing("unknown", has, None, None, currency, unknown)
    wanted = Size(
        _fitting(has.cores, max(use.cpu_p95 / CPU_P95, use.cpu_p99 / CPU_P99), CORE_SIZES),
        _fitting(
            has.memory_gib, max(use.memory_p95 / MEMORY_P95, use.memory_p99 / MEMORY_P99), MEMORY_SIZES_GIB
        ),
    )
    more = wanted.cores > has.cores or wanted.memory_gib > has.memory_gib
    fewer = wanted.cores < has.cores or wanted.memory_gib < has.memory_gib
    fit: Fit = "too_small" if more else "too_large" if fewer else "right"
    per_month = None
    if prices is not None:
        per_month = round(
            prices.of(wanted.cores, wanted.memory_gib) - prices.of(has.cores, has.memory_gib), 2
        )
    return Sizing(fit, has, wanted, per_month, currency, _reason(use, has, wanted))


def _unknown(use: Use, has: Size) -> str:
    if not all(map(math.isfinite, (use.cpu_p95, use.cpu_p99, use.memory_p95, use.memory_p99))):
        return "its use of CPU or memory is not known"
    if not (has.cores > 0 and has.memory_gib > 0):
        return "how many processors and how much memory it has is not known"
    if use.days < DAYS_MIN:
        return f"it is known for {use.days:.1f} days; a week is needed to speak of its size"
    return ""


def _fitting(has: float, share: float, sizes: tuple[float, ...]) -> float:
    """The usual size that a share of what it has needs; what it has where that is worth nobody's while."""
    needed = has * share
    size = next((size for size in sizes if size >= needed - 1e-9), math.ceil(needed))
    if size > has:
        return size if share > 1 else has
    return size if size <= has * WORTH_IT else has


def _reason(use: Use, has: Size, wanted: Size) -> str:
    cpu = f"CPU {_pct(use.cpu_p95)} nearly always and {_pct(use.cpu_p99)} at peaks"
    memory = f"memory {_pct(use.memory_p95)} and {_pct(use.memory_p99)}"
    changes = [
        f"{after:g} {noun} instead of {before:g}"
        for before, after, noun in (
            (has.cores, wanted.cores, "core" if wanted.cores == 1 else "cores"),
            (has.memory_gib, wanted.memory_gib, "GiB"),
        )
        if before != after
    ]
    return f"{cpu}, {memory}: {' and '.join(changes) or 'it fits'}"


def _pct(share: float) -> str:
    return f"{100 * share:.0f} %"
