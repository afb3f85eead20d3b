"""Whether the date is to be trusted: what has had its time is let go of by it, and does not come back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

DAY_MS = 86_400_000


def boot_ms() -> int:
    """Since this machine was booted, sleep included: a clock that nobody can set."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class Leaps:
    """Watches the wall clock for leaps ahead of more than a day, as a mistyped date or a broken board makes them.

    A minute in another year would cost all samples there are. So after a leap the date is in doubt for a day, or until
    the clock has leapt back; it is to be asked at least once in a few minutes.
    """

    def __init__(self, now_ms: Callable[[], int], boot_ms: Callable[[], int] = boot_ms) -> None:
        self._now_ms, self._boot_ms = now_ms, boot_ms
        self._booted_at = now_ms() - boot_ms()
        self._doubt_until: int | None = None

    def in_doubt(self) -> bool:
        boot_ms = self._boot_ms()
        booted_at = self._now_ms() - boot_ms
        leap_ms, self._booted_at = booted_at - self._booted_at, booted_at
        if leap_ms > DAY_MS:
            self._doubt_until = boot_ms + DAY_MS
            log.error(
                "The clock was set %d days ahead. Should that be a mistake, set it right: for a day from now, nothing "
                "is taken for too old to be kept.",
                leap_ms // DAY_MS,
            )
        elif leap_ms < -DAY_MS or (self._doubt_until is not None and boot_ms >= self._doubt_until):
            self._doubt_until = None
        return self._doubt_until is not None
