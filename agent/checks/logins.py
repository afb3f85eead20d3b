"""How many logins fail: a count and nothing else, no names and no addresses.

sshd, login and su add a record to the file btmp for each login that fails with a wrong password or an unknown name. The
file grows by records of one size, so its size is enough to count them, and only root may read more. Newer systems, such
as Debian 13, keep no such file any more.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured

BTMP = Path("/var/log/btmp")
RECORD_BYTES = {"aarch64": 400, "x86_64": 384, "i686": 384, "i386": 384, "armv7l": 384, "ppc64le": 384}
"""sizeof(struct utmp), by machine."""
SERIES = {"logins_failed_per_s": "How many logins failed."}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, btmp: Path = BTMP, machine: str = "") -> None:
        self._btmp = btmp
        self._record_bytes = RECORD_BYTES.get(machine or os.uname().machine)
        self._before: tuple[float, int, int] | None = None

    def measure(self, at_s: float) -> Measured:
        if self._record_bytes is None:
            return Measured({}, detail="how failed logins are recorded on this kind of machine is not known")
        try:
            found = self._btmp.stat()
        except (FileNotFoundError, PermissionError) as error:
            self._before = None
            return Measured({}, detail=f"no list of failed logins ({self._btmp}: {error.strerror})")
        before, self._before = self._before, (at_s, found.st_ino, found.st_size)
        if before is None or at_s <= before[0]:
            return Measured({})
        # A file that was put in the place of the old one has nothing but new records.
        same = found.st_ino == before[1] and found.st_size >= before[2]
        records = (found.st_size - (before[2] if same else 0)) // self._record_bytes
        return Measured({"logins_failed_per_s": records / (at_s - before[0])})
