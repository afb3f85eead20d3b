"""How many updates wait to be installed, as far as the system itself counts them.

Ubuntu does (update-notifier-common), each time it has looked for updates, and leaves the counts in a file. Elsewhere
there are no series: to count them here would take apt or dnf a good part of a minute.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import read

COUNTED = Path("/var/lib/update-notifier/updates-available")
PENDING = re.compile(r"^(\d+) (?:updates?|packages?) can be (?:applied|installed|updated)", re.MULTILINE)
SECURITY = re.compile(
    r"^(\d+) (?:of these updates|updates?) (?:is|are) (?:a )?(?:standard )?security", re.MULTILINE
)
"""What has been written there since 2016; only in English."""
SERIES = {
    "updates_pending": "How many updates wait to be installed, as the system itself last counted them.",
    "updates_security_pending": "How many of the updates that wait to be installed mend holes in security.",
    "updates_counted_ago_s": "How long ago the system last counted the updates that wait to be installed.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(
        self, options: Options, counted: Path = COUNTED, wall_s: Callable[[], float] = time.time
    ) -> None:
        self._counted = counted
        self._wall_s = wall_s

    def measure(self, at_s: float) -> Measured:
        try:
            text, changed_s = read(self._counted), self._counted.stat().st_mtime
        except FileNotFoundError:
            return Measured({}, detail="this system does not count the updates that wait to be installed")
        pending, security = PENDING.search(text), SECURITY.search(text)
        if pending is None:
            return Measured({}, detail=f"{self._counted} is not in the words that are known")
        return Measured(
            {
                "updates_pending": int(pending[1]),
                "updates_security_pending": int(security[1]) if security else 0,
                "updates_counted_ago_s": max(0.0, self._wall_s() - changed_s),
            }
        )
