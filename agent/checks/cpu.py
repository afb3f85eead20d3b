"""How busy the processors are, and with what.

used = everything but idle and waiting for disks; the time that a hypervisor took for others (steal) counts as used. The
percentages are of all processors together, over the time since the last tick.
"""

from __future__ import annotations

import time
from typing import ClassVar, TypeAlias

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import read
from agent.wire import series_name

FIRST_LOOK_S = 0.1
"""How long the first look lasts, which has no tick before it to compare with. The kernel counts in steps of 10 ms."""
STAT = "/proc/stat"
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""How a line of it begins, and what adds up to all time. `guest`, which comes next, is a part of `user`."""
IDLE = ("idle", "iowait")
ALL = ""
SERIES = {
    "cpu_used_pct": "How much of the processors' time was not idle, waiting for disks left out, steal included.",
    "cpu_mode_pct": "How much of the processors' time went to each mode, such as user, system and iowait.",
    "cpu_steal_pct": "How much of the processors' time the hypervisor gave to others.",
    "cpu_core_used_pct": "The same as cpu_used_pct, of each processor alone; only where per_core is true.",
}
MODE_SERIES = {mode: series_name("cpu_mode_pct", {"mode": mode}) for mode in COLUMNS if mode != "idle"} | {
    "steal": "cpu_steal_pct"
}

Ticks: TypeAlias = dict[str, float]
"""By mode."""
Times: TypeAlias = dict[str, Ticks]
"""By processor, and under ALL those of all together."""


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    per_core: true tells besides how busy each processor is
    """

    per_core: bool = False

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options) -> None:
        self._per_core = options.per_core
        self._before: Times | None = None

    def measure(self, at_s: float) -> Measured:
        before = self._before
        if before is None:
            before = ticks_spent(self._per_core)
            time.sleep(FIRST_LOOK_S)
        self._before = now = ticks_spent(self._per_core)
        samples = percentages(before[ALL], now[ALL])
        # A processor may be taken out of use and put back while the host runs.
        for core in sorted(now.keys() & before.keys() - {ALL}, key=int):
            if (used := used_pct(before[core], now[core])) is not None:
                samples[series_name("cpu_core_used_pct", {"core": core})] = used
        return Measured(samples)


def percentages(before: Ticks, now: Ticks) -> dict[str, float | None]:
    """The series of all processors together; none of them when no time has passed."""
    used, spent = used_pct(before, now), passed(before, now)
    if used is None:
        return {}
    samples: dict[str, float | None] = {"cpu_used_pct": used}
    total = sum(spent.values())
    return samples | {name: 100 * spent[mode] / total for mode, name in MODE_SERIES.items()}


def used_pct(before: Ticks, now: Ticks) -> float | None:
    """How much of the time was not idle or waiting for disks; None when no time has passed."""
    spent = passed(before, now)
    total = sum(spent.values())
    return 100 * max(0.0, total - sum(spent[mode] for mode in IDLE)) / total if total else None


def passed(before: Ticks, now: Ticks) -> Ticks:
    # Some kernels count iowait and idle back a little when they correct themselves.
    return {mode: max(0.0, now[mode] - before[mode]) for mode in COLUMNS}


def ticks_spent(per_core: bool) -> Times:
    """The ticks spent in each mode, by all processors together and, if wanted, by each under its number."""
    lines = (
        line.split() for line in read(STAT).splitlines() if line.startswith("cpu" if per_core else "cpu ")
    )
    return {
        name.removeprefix("cpu"): {mode: float(ticks) for mode, ticks in zip(COLUMNS, columns, strict=False)}
        for name, *columns in lines
    }
