"""What scaling looks at, as it is in the fleet now: which hosts are a service's instances, and their newest numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from collector.store import LatestValue, Samples
from rules.labels import fits
from rules.model import SERVICE, Host, Series
from rules.scaling.model import Instance, ScalingPolicy, Seen

SEEN_INTERVALS = 3
UNKNOWN_FOR_MS = 3_600_000
"""A host that was silent for longer is no instance any more; until then nobody knows whether it works."""
STARTING_MS = 120_000

Hosts = Callable[[], Iterable[Host]]
Resting = Callable[[Host, int], bool]
"""Whether a host is in maintenance: then it is no instance."""


class Numbers(Struct, frozen=True):
    """The newest values of each metric over the fleet: by metric, then by host, and the names of the series."""

    values: dict[str, dict[int, float]]
    names: dict[str, dict[int, list[str]]]


def instances_of(
    where: Mapping[str, str | list[str]], hosts: Iterable[Host], resting: Resting, now: int
) -> list[Host]:
    """The hosts that are instances: with such labels, heard within the hour, not stopped and not in maintenance."""
    return [
        host
        for host in hosts
        if not host.is_service
        and host.arrived_at is not None
        and now - host.arrived_at <= max(UNKNOWN_FOR_MS, SEEN_INTERVALS * host.every_ms)
        and not host.has_stopped
        and where
        and fits(where, host.binding_labels)
        and not resting(host, now)
    ]


async def read_numbers(samples: Samples, metrics: Iterable[str]) -> Numbers:
    """Each metric once for the whole fleet. Of several series of one host that fit, the greatest counts."""
    values: dict[str, dict[int, float]] = {}
    names: dict[str, dict[int, list[str]]] = {}
    for metric in sorted(set(metrics)):
        rows = fitting(metric, await samples.latest_of(Series.parse(metric).metric))
        values[metric], names[metric] = {}, {}
        for row in rows:
            before = values[metric].get(row.host, math.nan)
            values[metric][row.host] = row.value if math.isnan(before) else max(before, row.value)
            names[metric].setdefault(row.host, []).append(row.name)
    return Numbers(values, names)


def fitting(metric: str, rows: Sequence[LatestValue]) -> list[LatestValue]:
    """Those whose labels are as a selector says."""
    wanted = Series.parse(metric).labels
    if not wanted:
        return list(rows)
    return [row for row in rows if wanted.items() <= Series.parse(row.name).labels.items()]


def see(
    service: str,
    policy: ScalingPolicy,
    hosts: Sequence[Host],
    numbers: Numbers,
    sources: Mapping[str, Host],
    now: int,
) -> Seen:
    """`hosts` are the service's instances, `sources` those that stand for services which post metrics of their own."""
    instances = tuple(
        Instance(
            host.name,
            _state(host, now),
            {
                metric: value
                for metric in policy.metrics
                if (value := numbers.values.get(metric, {}).get(host.id)) is not None
            },
        )
        for host in hosts
    )
    source = sources.get(SERVICE + service)
    of_all = {}
    if source is not None and _heard(source, now):
        of_all = {
            metric: value
            for metric in policy.metrics
            if not math.isnan(value := numbers.values.get(metric, {}).get(source.id, math.nan))
        }
    return Seen(instances, of_all, policy.current)


def _state(host: Host, now: int) -> Literal["ready", "starting", "unknown"]:
    if not _heard(host, now):
        return "unknown"
    return "starting" if now - host.enrolled_at < STARTING_MS else "ready"


def _heard(host: Host, now: int) -> bool:
    return host.arrived_at is not None and now - host.arrived_at <= SEEN_INTERVALS * host.every_ms
