"""How often the kernel killed a process because memory ran out, of the host or of a container's limit."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import Counters, read

VMSTAT = Path("/proc/vmstat")
SERIES = {
    "oom_kills": "How many processes the kernel killed for want of memory since the host was started.",
    "oom_kills_per_s": "How many processes the kernel killed for want of memory since the last tick.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, vmstat: Path = VMSTAT) -> None:
        self._vmstat = str(vmstat)
        self._counters = Counters()

    def measure(self, at_s: float) -> Measured:
        _, found, rest = read(self._vmstat).partition("\noom_kill ")
        if not found:
            return Measured({}, detail="this kernel does not count what it kills for want of memory")
        kills = int(rest.partition("\n")[0])
        samples: dict[str, float | None] = {"oom_kills": kills}
        return Measured(
            samples
            | {
                f"{name}_per_s": rate
                for name, rate in self._counters.per_s(at_s, {"oom_kills": kills}).items()
            }
        )
