"""A host's capacity in one value: what fills up and when, whether it is of the right size, and what holds it back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from rules.capacity.bottlenecks import Bottleneck
from rules.capacity.forecast import Forecast
from rules.capacity.sizing import GIB, Prices, Size, Sizing, Use
from rules.capacity.slope import Numbers
from rules.model import Host, Series

FULL_AT: Mapping[str, float] = {
    "disk_used_pct": 100,
    "disk_inodes_used_pct": 100,
    "memory_used_pct": 100,
    "swap_used_pct": 100,
    "files_used_pct": 100,
    "threads_used_pct": 100,
    "conntrack_used_pct": 100,
    "gpu_memory_used_pct": 100,
    "container_memory_used_pct": 100,
}
"""What fills up, and at which value it is full."""
PRICE_LABELS = {"core": "price_core", "gib": "price_gib"}


class CapacityOptions(Struct, kw_only=True, frozen=True):
    """What advice on capacity goes by.

    limits: more series that fill up, each with the value at which it is full
    prices: what hosts cost, so that advice on their size speaks of money; null for no prices
    """

    limits: dict[str, float] = field(default_factory=dict)
    prices: Prices | None = None

    def limit_of(self, name: str) -> float | None:
        """At which value a series is full; None for one that does not fill up. One that is named whole wins."""
        metric = name.partition("{")[0]
        for limits in (self.limits, FULL_AT):
            for key in (name, metric):
                if key in limits:
                    return limits[key]
        return None

    def prices_of(self, host: Host) -> Prices | None:
        """A host's labels say what it costs, or else the config does."""
        given = {
            name: price
            for name, label in PRICE_LABELS.items()
            if (price := _number(host.labels.get(label, ""))) is not None
        }
        return replace(self.prices or Prices(), **given) if given else self.prices


class Filling(Struct, frozen=True):
    """Something that fills up, and what is foretold of it."""

    series: str
    limit: float
    forecast: Forecast

    @property
    def metric(self) -> str:
        return Series.parse(self.series).metric


class HostReport(Struct, frozen=True):
    """A host at a moment; the most urgent first in each list."""

    host: int
    name: str
    at: int
    fillings: tuple[Filling, ...]
    sizing: Sizing
    bottlenecks: tuple[Bottleneck, ...]


def urgent_first(filling: Filling) -> tuple[int, float, str]:
    """What is foretold to be full comes first, the soonest first; then what nobody knows; then the rest."""
    rank = {"fills": 0, "unknown": 1, "steady": 2}[filling.forecast.outlook]
    return rank, filling.forecast.days or 0.0, filling.series


def size_of(host: Host) -> Size:
    """What a host has, as it said of itself; 0 where it did not say."""
    cores, memory = (_number(host.facts.get(name, "")) or 0.0 for name in ("cores", "memory_bytes"))
    return Size(cores, round(memory / GIB, 1))


def use_of(cpu: Numbers, memory: Numbers, memory_high: Numbers, days: float) -> Use:
    """From shares in %, in steps of a quarter of an hour or so: the peaks of memory to the very highest, since a moment
    without memory kills programs, those of CPU as steps on average, since a moment without it only delays them."""
    return Use(_share(cpu, 95), _share(cpu, 99), _share(memory, 95), _share(memory_high, 99), days)


def _share(values: Numbers, percent: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) / 100 if len(known) else float("nan")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e18 else None
