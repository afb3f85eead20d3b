"""How many connections the firewall keeps in mind, and how many it has room for.

When there is no room left, new connections are dropped, and nothing else shows it. Without connection tracking there
are no series.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import read

FOLDER = Path("/proc/sys/net/netfilter")
SERIES = {
    "conntrack_entries": "How many connections the firewall keeps in mind.",
    "conntrack_entries_max": "How many connections the firewall has room for.",
    "conntrack_used_pct": "How much of the room for connections in the firewall's mind is used.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, folder: Path = FOLDER) -> None:
        self._count, self._max = str(folder / "nf_conntrack_count"), str(folder / "nf_conntrack_max")

    def measure(self, at_s: float) -> Measured:
        try:
            count, maximum = int(read(self._count)), int(read(self._max))
        except FileNotFoundError:
            return Measured({}, detail="this host does not track connections")
        samples: dict[str, float | None] = {"conntrack_entries": count, "conntrack_entries_max": maximum}
        if maximum:  # 0 is no limit
            samples["conntrack_used_pct"] = 100 * count / maximum
        return Measured(samples)
