"""How busy the processors are, and with what.

used = everything but idle and waiting for disks; the time that a hypervisor took for others (steal) counts as used. The
percentages are of all processors together, over the time since the last tick.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import psutil

from agent.checks import CheckOptions, Measured
from agent.wire import series_name

FIRST_LOOK_S = 0.1
"""How long the first look lasts, which has no tick before it to compare with. The kernel counts in steps of 10 ms."""
MODES = ("user", "nice", "system", "iowait", "irq", "softirq", "steal", "idle")
"""What adds up to all time. `guest` is left out: it is a part of `user`."""
SERIES = {
    "cpu_used_pct": "How much of the processors' time was not idle, waiting for disks left out, steal included.",
    "cpu_mode_pct": "How much of the processors' time went to each mode, such as user, system and iowait.",
    "cpu_steal_pct": "How much of the processors' time the hypervisor gave to others.",
}
MODE_SERIES = {mode: series_name("cpu_mode_pct", {"mode": mode}) for mode in MODES[:-2]} | {
    "steal": "cpu_steal_pct"
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options) -> None:
        self._before: dict[str, float] | None = None

    def measure(self, at_s: float) -> Measured:
        before = self._before
        if before is None:
            before = _seconds()
            time.sleep(FIRST_LOOK_S)
        self._before = now = _seconds()
        return Measured(percentages(before, now))


def percentages(before: dict[str, float], now: dict[str, float]) -> dict[str, float | None]:
    """The series, from the seconds that had passed in each mode; none of them when no time has passed."""
    # Some kernels count iowait and idle back a little when they correct themselves.
    spent = {mode: max(0.0, now[mode] - before[mode]) for mode in MODES}
    total = sum(spent.values())
    if total == 0:
        return {}
    used = max(0.0, total - spent["idle"] - spent["iowait"])
    samples: dict[str, float | None] = {"cpu_used_pct": 100 * used / total}
    return samples | {name: 100 * spent[mode] / total for mode, name in MODE_SERIES.items()}


def _seconds() -> dict[str, float]:
    times: Any = psutil.cpu_times()
    return {mode: getattr(times, mode) for mode in MODES}
