"""How long ago the host was started, and whether it waits to be started again after an update.

Only some systems say that they wait for a restart: Debian and Ubuntu, where unattended-upgrades, update-notifier or
reboot-notifier is installed. On others that series is missing, since nobody knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import read

ROOT = Path("/")
WRITERS = (
    "etc/kernel/postinst.d/unattended-upgrades",
    "usr/share/update-notifier/notify-reboot-required",
    "etc/kernel/postinst.d/reboot-notifier",
)
"""What writes REQUIRED; where one of them is installed, its absence says that no restart is needed."""
REQUIRED = "run/reboot-required"
PACKAGES_NAMED_MAX = 5
SERIES = {
    "uptime_s": "How long ago the host was started.",
    "reboot_required": "1 when an update takes effect only after a restart, else 0.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, root: Path = ROOT) -> None:
        self._uptime, self._required = str(root / "proc/uptime"), root / REQUIRED
        self._writers = [root / writer for writer in WRITERS]

    def measure(self, at_s: float) -> Measured:
        samples: dict[str, float | None] = {"uptime_s": float(read(self._uptime).split()[0])}
        if self._required.exists():
            return Measured(samples | {"reboot_required": 1}, detail=f"waits for a restart{self._because()}")
        if any(writer.exists() for writer in self._writers):
            samples["reboot_required"] = 0
        return Measured(samples)

    def _because(self) -> str:
        """Which packages want it, as far as they say so."""
        try:
            packages = sorted(set(read(f"{self._required}.pkgs").split()))
        except OSError:
            return ""
        more = f" and {len(packages) - PACKAGES_NAMED_MAX} more" if len(packages) > PACKAGES_NAMED_MAX else ""
        return f" after an update of {', '.join(packages[:PACKAGES_NAMED_MAX])}{more}" if packages else ""
