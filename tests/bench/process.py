"""What a process has used so far, as the kernel counts it."""

from __future__ import annotations

import re
import time
from pathlib import Path


def cpu_s(pid: int) -> float:
    """User and system time of all its threads, those that ended included, to the microsecond.

    /proc/PID/stat counts in hundredths of a second, which is more than an agent's tick takes.
    """
    clock_of_the_process = (~pid << 3) | 2  # what clock_getcpuclockid(3) makes of a pid on Linux
    return time.clock_gettime(clock_of_the_process)


def resident_mib(pid: int) -> float:
    return _status_kib(pid, "VmRSS") / 1024


def resident_peak_mib(pid: int) -> float:
    return _status_kib(pid, "VmHWM") / 1024


def _status_kib(pid: int, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1])
