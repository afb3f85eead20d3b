"""When something happened, by a clock that nobody can set.

The wall clock of a host jumps: at boot (1970 on a board without a battery), when it is set, when it was wrong. The
time since boot does not. So a moment is remembered by both, and dated by the wall clock of the moment it is asked:
what was sampled before the clock was set is then dated right, and no step can put two samples in the wrong order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct, structs

SETTLE_MS = 600_000
"""How long after a start the clock may still be wrong: until then nothing of another boot is called too old."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(Struct, frozen=True):
    """One moment by both clocks, in milliseconds: since the boot `boot_id`, sleep included, and UTC."""

    boot_id: str
    boot_ms: int
    wall_ms: int

    @property
    def offset_ms(self) -> int:
        """When this boot was, by the wall clock."""
        return self.wall_ms - self.boot_ms


Clock = Callable[[], Moment]


def system_clock() -> Clock:
    """The clock of this host."""
    boot_id = BOOT_ID.read_text().strip()

    def now() -> Moment:
        boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return Moment(boot_id, boot_ms, time.time_ns() // 1_000_000)

    return now


def dated(then: Moment, now: Moment) -> int:
    """When `then` was, in milliseconds UTC by the wall clock of `now`, and at least 0.

    After another boot nothing better is known than what the wall clock said then.
    """
    same_boot = then.boot_id == now.boot_id
    return max(0, now.offset_ms + then.boot_ms if same_boot else then.wall_ms)


class Ages:
    """How old moments are, those of earlier boots too, where it depends on a clock that may be wrong for a while."""

    def __init__(self, age_ms_max: int, started: Moment) -> None:
        self.age_ms_max = age_ms_max
        self._started = started
        self._clocks: dict[str, Moment] = {}

    def learn(self, clock: Moment) -> None:
        """What the clock said later in an earlier boot: it may have been set in between."""
        known = self._clocks.get(clock.boot_id, clock)
        self._clocks[clock.boot_id] = max(known, clock, key=lambda moment: moment.boot_ms)

    def redated(self, then: Moment, now: Moment) -> Moment:
        """A moment of an earlier boot by the last that is known of its clock."""
        clock = self._clocks.get(then.boot_id)
        if clock is None or then.boot_id == now.boot_id:
            return then
        return structs.replace(then, wall_ms=clock.offset_ms + then.boot_ms)

    def age_ms(self, then: Moment, now: Moment) -> int:
        return now.wall_ms - dated(self.redated(then, now), now)

    def yet_to_come(self, then: Moment, now: Moment) -> bool:
        """Whether it seems to come from the future: the clock was wrong then, or is now and may be set."""
        return then.boot_id != now.boot_id and self.age_ms(then, now) < 0

    def too_old(self, then: Moment, now: Moment) -> bool:
        """Whether it is older than the limit for certain, or has waited longer than that for the clock to be set."""
        age_ms = self.age_ms(then, now)
        if then.boot_id == now.boot_id:
            return age_ms > self.age_ms_max
        waited_ms = now.boot_ms - self._started.boot_ms
        if self.yet_to_come(then, now):
            return waited_ms > self.age_ms_max
        return age_ms > self.age_ms_max and waited_ms > SETTLE_MS
