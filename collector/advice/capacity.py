"""What becomes of each host's room: looked at once an hour, each host in a minute of its own."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable

import numpy as np

from collector.advice.seeing import Hosts
from collector.store import DAY_MS, Samples
from collector.store.pasts import pasts_of
from rules.capacity.bottlenecks import bottlenecks
from rules.capacity.forecast import forecast_with_newest
from rules.capacity.report import (
    CapacityOptions,
    Filling,
    HostReport,
    size_of,
    urgent_first,
    use_of,
)
from rules.capacity.sizing import Sizing, right_size
from rules.model import Host
from rules.scaling.model import CPU, MEMORY

log = logging.getLogger(__name__)

SIZE_MS, SIZE_STEP_MS = 14 * DAY_MS, 15 * 60_000
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
AT_ONCE_MAX = 200
"""Hosts looked at in one round: what is more waits for the next."""


class Capacity:
    """`round` is to be called once a minute; what it found is in `reports`."""

    def __init__(
        self, samples: Samples, hosts: Hosts, options: CapacityOptions, *, now_ms: Callable[[], int]
    ) -> None:
        self._samples, self._hosts, self._options, self._now_ms = samples, hosts, options, now_ms
        self._reports: dict[int, HostReport] = {}

    def replace(self, options: CapacityOptions) -> None:
        """From each host's next look on these hold."""
        self._options = options

    async def round(self) -> None:
        """Look at the hosts whose minute it is, and at those that were not looked at yet."""
        now = self._now_ms()
        hosts = {host.id: host for host in self._hosts() if not host.is_service and host.last_at is not None}
        self._reports = {host: report for host, report in self._reports.items() if host in hosts}
        due = [host for host in hosts.values() if self._is_due(host, now)]
        for host in sorted(due, key=self._looked_at)[:AT_ONCE_MAX]:
            self._reports[host.id] = await look_at(self._samples, host, self._options, now)

    def reports(self) -> list[HostReport]:
        """Of each host that was looked at, in name order."""
        return sorted(self._reports.values(), key=lambda report: report.name)

    def report(self, host: int) -> HostReport | None:
        """None of one that was not looked at yet."""
        return self._reports.get(host)

    def _is_due(self, host: Host, now: int) -> bool:
        own = zlib.crc32(host.name.encode()) % HOUR_MS
        turn = (now - own) // HOUR_MS * HOUR_MS + own
        return self._looked_at(host) < turn

    def _looked_at(self, host: Host) -> int:
        return self._reports[host.id].at if host.id in self._reports else 0


async def look_at(samples: Samples, host: Host, options: CapacityOptions, now: int) -> HostReport:
    """All there is to say of one host now. StoreError."""
    latest = await samples.latest(host.id)
    names = latest.names if latest is not None else ()
    limits = {name: limit for name in names if (limit := options.limit_of(name)) is not None}
    fillings = await _fillings(samples, host.id, limits, now)
    return HostReport(
        host.id,
        host.name,
        now,
        tuple(sorted(fillings, key=urgent_first)),
        await _sizing(samples, host, options, now),
        tuple(bottlenecks(latest.values if latest is not None else {})),
    )


async def _fillings(samples: Samples, host: int, limits: dict[str, float], now: int) -> list[Filling]:
    pasts = await pasts_of(samples, host, sorted(limits), now)

    def foretell() -> list[Filling]:
        return [
            Filling(name, limits[name], forecast_with_newest(past, limits[name], now))
            for name, past in pasts.items()
        ]

    return await asyncio.to_thread(foretell)


async def _sizing(samples: Samples, host: Host, options: CapacityOptions, now: int) -> Sizing:
    found = await samples.series_step(host.id, [CPU, MEMORY], now - SIZE_MS, now, SIZE_STEP_MS)
    cpu, memory = found.get(CPU), found.get(MEMORY)
    nothing = np.array([np.nan])
    days = 0.0 if cpu is None or not len(cpu.at) else float(cpu.at[-1] - cpu.at[0]) / DAY_MS
    use = use_of(
        nothing if cpu is None else cpu.mean,
        nothing if memory is None else memory.mean,
        nothing if memory is None else memory.high,
        days,
    )
    return right_size(use, size_of(host), options.prices_of(host))
