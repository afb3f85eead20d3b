"""How many files all processes together have open, and how many the kernel allows.

Open are files, sockets, pipes and whatever else has a descriptor. What one process or one user may have open is limited
besides, and not told here.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import read

FILE_NR = Path("/proc/sys/fs/file-nr")
SERIES = {
    "files_open": "How many files, sockets, pipes and the like all processes together have open.",
    "files_open_max": "How many of them the kernel allows.",
    "files_used_pct": "How many of the files that the kernel allows are open.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, file_nr: Path = FILE_NR) -> None:
        self._file_nr = str(file_nr)

    def measure(self, at_s: float) -> Measured:
        allocated, free, maximum = (int(field) for field in read(self._file_nr).split())
        used = allocated - free  # none has been free since Linux 2.6
        return Measured(
            {"files_open": used, "files_open_max": maximum, "files_used_pct": 100 * used / maximum}
        )
