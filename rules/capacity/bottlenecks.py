"""What holds a host back now, in words: for want of what its programs wait, the worst first."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct

from rules import words
from rules.model import Series


class Sign(Struct, frozen=True):
    """A metric that says so, with its labels, from a value on; `words` has {value} and may have {labels}."""

    resource: str
    metric: str
    limit: float
    words: str
    labels: dict[str, str] = {}


SIGNS = (
    Sign("cpu", "pressure_cpu_some_pct", 20, "programs stood still {value} of the time for want of CPU"),
    Sign("cpu", "cpu_steal_pct", 10, "the hypervisor gave {value} of the processors' time to others"),
    Sign("cpu", "load1_per_core", 2, "{value} programs wanted each processor"),
    Sign("disk", "pressure_io_some_pct", 20, "programs stood still {value} of the time waiting for disks"),
    Sign(
        "disk", "pressure_io_full_pct", 10, "all programs stood still {value} of the time waiting for disks"
    ),
    Sign(
        "disk",
        "cpu_mode_pct",
        20,
        "processors idled {value} of the time waiting for disks",
        {"mode": "iowait"},
    ),
    Sign("disk", "disk_busy_pct", 95, "disk {labels} had something to do {value} of the time"),
    Sign("disk", "disk_await_ms", 100, "disk {labels} took {value} for a read or write"),
    Sign(
        "memory",
        "pressure_memory_some_pct",
        10,
        "programs stood still {value} of the time for want of memory",
    ),
    Sign("memory", "pressure_memory_full_pct", 5, "all stood still {value} of the time for want of memory"),
    Sign("memory", "memory_used_pct", 95, "{value} of the memory is used"),
    Sign("memory", "swap_used_pct", 80, "{value} of the swap is used"),
    Sign("memory", "oom_kills_per_s", 0, "the kernel kills programs for want of memory"),
    Sign("network", "tcp_retransmits_pct", 3, "{value} of what was sent by TCP had to be sent again"),
    Sign(
        "network",
        "tcp_listen_overflows_per_s",
        0,
        "connections are turned away: programs take them too slowly",
    ),
    Sign("network", "net_drops_per_s", 50, "interface {labels} let fall {value} packets"),
    Sign("limits", "conntrack_used_pct", 90, "{value} of the firewall's room for connections is used"),
    Sign("limits", "files_used_pct", 90, "{value} of the files that the kernel allows are open"),
    Sign("limits", "threads_used_pct", 90, "{value} of the threads that the kernel allows are there"),
)


class Bottleneck(Struct, frozen=True):
    """`beyond` is how many times its limit the value is; what has no limit but none counts as once."""

    resource: str
    series: str
    value: float
    beyond: float
    words: str


def bottlenecks(values: Mapping[str, float]) -> list[Bottleneck]:
    """What of a host's newest numbers, by series name, is a sign of want. Names that are no series are passed over."""
    found = [
        bottleneck
        for name, value in values.items()
        if math.isfinite(value)
        for bottleneck in _of_series(name, value)
    ]
    return sorted(found, key=lambda bottleneck: (-bottleneck.beyond, bottleneck.series))


def _of_series(name: str, value: float) -> list[Bottleneck]:
    metric = name.partition("{")[0]
    signs = [sign for sign in SIGNS if sign.metric == metric and value > sign.limit]
    if not signs:
        return []
    try:
        labels = Series.parse(name).labels
    except ValueError:
        return []
    return [
        Bottleneck(
            sign.resource,
            name,
            value,
            round(value / sign.limit, 2) if sign.limit else 1.0,
            sign.words.format(value=words.reading(metric, value), labels=" ".join(labels.values())),
        )
        for sign in signs
        if sign.labels.items() <= labels.items()
    ]
