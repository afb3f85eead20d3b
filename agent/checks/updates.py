"""How many updates wait to be installed.

Ubuntu counts them itself (update-notifier-common) each time it has looked for updates, and leaves the counts in a file.
On Debian apt is asked in the background, which takes it a second or two of processor: at most every `apt_every`, and
only when it has fetched lists or something was installed since. The agent never looks for updates itself. Elsewhere
there are no series.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta

from agent.checks import CheckOptions, Measured
from agent.checks._apt import Apt
from agent.checks._kernel import read

COUNTED = Path("/var/lib/update-notifier/updates-available")
PENDING = re.compile(r"^(\d+) (?:updates?|packages?) can be (?:applied|installed|updated)", re.MULTILINE)
SECURITY = re.compile(
    r"^(\d+) (?:of these updates|updates?) (?:is|are) (?:a )?(?:standard )?security", re.MULTILINE
)
"""What has been written there since 2016; only in English."""
SERIES = {
    "updates_pending": "How many updates wait to be installed, of those that the system has heard of.",
    "updates_security_pending": "How many of the updates that wait to be installed mend holes in security.",
    "updates_counted_ago_s": "How long ago the system last looked for updates, or counted those that wait.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    apt_every: how often apt is asked at most, where the system does not count its updates itself; 0s is never
    """

    every_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    apt_every_s: Annotated[float, Meta(ge=0, le=7 * 86_400)] = 3_600.0

    by_default: ClassVar[bool] = True


class Check:
    def __init__(
        self,
        options: Options,
        counted: Path = COUNTED,
        apt: Apt | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._counted = counted
        self._apt = apt or Apt(options.apt_every_s)
        self._asks_apt = options.apt_every_s > 0
        self._wall_s = wall_s

    def measure(self, at_s: float) -> Measured:
        try:
            text, changed_s = read(self._counted), self._counted.stat().st_mtime
        except FileNotFoundError:
            return self._by_apt(at_s)
        pending, security = PENDING.search(text), SECURITY.search(text)
        if pending is None:
            return Measured({}, detail=f"{self._counted} is not in the words that are known")
        return self._told(int(pending[1]), int(security[1]) if security else 0, changed_s)

    def _by_apt(self, at_s: float) -> Measured:
        if not (self._asks_apt and self._apt.is_here):
            return Measured({}, detail="this system does not count the updates that wait to be installed")
        looked_s = self._apt.looked_at_s()
        if looked_s is None:
            return Measured({}, detail="apt has no lists of packages; `apt-get update` fetches them")
        self._apt.turn(at_s)
        waiting = self._apt.waiting
        if self._apt.trouble:
            return Measured(dict.fromkeys(SERIES), "unknown", self._apt.trouble)
        if waiting is None:
            return Measured({}, detail="apt has not been asked yet")
        return self._told(waiting.updates, waiting.security, looked_s)

    def _told(self, pending: int, security: int, counted_s: float) -> Measured:
        return Measured(
            {
                "updates_pending": pending,
                "updates_security_pending": security,
                "updates_counted_ago_s": max(0.0, self._wall_s() - counted_s),
            }
        )
