"""How often the kernel killed a process because memory ran out, of the host or of a container's limit."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import Counters, read
from agent.checks._recent import Recent

VMSTAT = Path("/proc/vmstat")
SERIES = {
    "oom_kills": "How many processes the kernel killed for want of memory since the host was started.",
    "oom_kills_10m": "How many processes the kernel killed for want of memory within the last ten minutes.",
    "oom_kills_per_s": "How many processes the kernel killed for want of memory since the last tick.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, vmstat: Path = VMSTAT) -> None:
        self._vmstat = str(vmstat)
        self._counters = Counters()
        self._before: int | None = None
        self._recent = Recent()

    def measure(self, at_s: float) -> Measured:
        _, found, rest = read(self._vmstat).partition("\noom_kill ")
        if not found:
            return Measured({}, detail="this kernel does not count what it kills for want of memory")
        kills = int(rest.partition("\n")[0])
        new = 0 if self._before is None else max(0, kills - self._before)
        self._before = kills
        samples: dict[str, float | None] = {
            "oom_kills": kills,
            "oom_kills_10m": self._recent.with_now(at_s, new),
        }
        for name, rate in self._counters.per_s(at_s, {"oom_kills": kills}).items():
            samples[f"{name}_per_s"] = rate
        return Measured(samples)
