"""What comes back every day or every week: a profile by the hour, believed only where one half of the past foretells
the other half."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from rules.capacity.slope import Numbers, Times

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
STRENGTH_MIN = 0.5
PERIODS_MIN = 2
"""There is nothing to compare a period with before it has been seen twice."""
WEEK_BETTER = 0.8
"""A week must leave that much less unsaid than a day does, each half of the past by the other, or the day will do."""


class Season(Struct, frozen=True):
    """A profile over a period that begins at the epoch; the mean of it is 0. `strength` from 0 to 1 says how well each
    half of the past foretold the other. `centre` is where in a slot its points lie on average, as a share of it."""

    period_ms: int
    slot_ms: int
    profile: Numbers
    strength: float
    centre: float = 0.5

    def values(self, at: Times) -> Numbers:
        """What the season adds at some times, past or to come."""
        shares = (at % self.period_ms) / self.slot_ms
        slots = np.arange(len(self.profile)) + self.centre
        found: Numbers = np.interp(shares, slots, self.profile, period=len(self.profile))
        return found

    @property
    def name(self) -> str:
        return "weekly" if self.period_ms == WEEK_MS else "daily"


def find_season(at: Times, values: Numbers, least: float, slot_ms: int = HOUR_MS) -> Season | None:
    """What comes back in `values`, from which any trend has been taken; None when nothing does plainly enough, or by no
    more than `least` from its lowest to its highest. Slots are `slot_ms` long, or longer where points are rare."""
    if len(at) < 2 or np.ptp(values) <= least:
        return None
    slot = _slot_for(int(at[-1] - at[0]), len(at), slot_ms)
    found = [_season(at, values, period, slot) for period in (DAY_MS, WEEK_MS)]
    daily, weekly = (some if some and np.ptp(some[0].profile) > least else None for some in found)
    if daily is None or (weekly is not None and weekly[1] < WEEK_BETTER * daily[1]):
        return weekly[0] if weekly else None
    return daily[0]


def _slot_for(span: int, points: int, slot_ms: int) -> int:
    """`slot_ms`, or the shortest of 1, 2, 3, 4, 6 hours that points so far apart can fill."""
    apart = span / max(1, points - 1)
    slots = (slot_ms, *(hours * HOUR_MS for hours in (1, 2, 3, 4, 6)))
    return next((slot for slot in slots if slot >= 0.9 * apart), DAY_MS)


def _season(at: Times, values: Numbers, period_ms: int, slot_ms: int) -> tuple[Season, float] | None:
    """What comes back with a period, and how much of each half of the past the other one leaves unsaid."""
    slots = period_ms // slot_ms
    if int(at[-1] - at[0]) < PERIODS_MIN * period_ms - slot_ms or slots < 4:
        return None
    slot, odd = (at % period_ms) // slot_ms, (at // period_ms) % 2 == 1
    of_odd, of_even = (_profile(slot[half], values[half], slots) for half in (odd, ~odd))
    both = np.isfinite(of_odd) & np.isfinite(of_even)
    if both.sum() < 0.75 * slots:
        return None
    strength = _correlation(of_odd[both], of_even[both])
    if strength < STRENGTH_MIN:
        return None
    unsaid = float(np.nanmean((values - np.where(odd, of_even[slot], of_odd[slot])) ** 2))
    profile = _profile(slot, values, slots)
    known = np.isfinite(profile)
    profile = np.interp(np.arange(slots), np.flatnonzero(known), profile[known], period=slots)
    centre = float(np.mean(at % slot_ms)) / slot_ms
    return Season(period_ms, slot_ms, profile - profile.mean(), strength, centre), unsaid


def _profile(slot: Times, values: Numbers, slots: int) -> Numbers:
    """The median of each slot, NaN for one without any."""
    profile = np.full(slots, np.nan)
    order = np.argsort(slot, kind="stable")
    found, starts = np.unique(slot[order], return_index=True)
    for which, group in zip(found, np.split(values[order], starts[1:]), strict=True):
        profile[which] = np.median(group)
    return profile


def _correlation(one: Numbers, other: Numbers) -> float:
    one, other = one - one.mean(), other - other.mean()
    power = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / power if power > 0 else 0.0
