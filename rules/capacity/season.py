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
"""A week must leave that much less of the past unsaid than a day does, or the day will do."""


class Season(Struct, frozen=True):
    """A profile over a period that begins at the epoch; the mean of it is 0. `strength` from 0 to 1 says how well each
    half of the past foretold the other."""

    period_ms: int
    slot_ms: int
    profile: Numbers
    strength: float

    def values(self, at: Times) -> Numbers:
        """What the season adds at some times, past or to come."""
        shares = (at % self.period_ms) / self.slot_ms
        slots = np.arange(len(self.profile) + 1, dtype=np.float64) + 0.5
        around = np.concatenate([self.profile, self.profile[:1]])
        found: Numbers = np.interp(np.where(shares < 0.5, shares + len(self.profile), shares), slots, around)
        return found

    @property
    def name(self) -> str:
        return "weekly" if self.period_ms == WEEK_MS else "daily"


def find_season(at: Times, values: Numbers, least: float) -> Season | None:
    """What comes back in `values`, from which any trend has been taken; None when nothing does plainly enough, or by no
    more than `least` from its lowest to its highest."""
    if len(at) < 2 or np.ptp(values) <= least:
        return None
    span = int(at[-1] - at[0])
    slot = max(HOUR_MS, _slot_for(span, len(at)))
    daily, weekly = (
        season if season is not None and np.ptp(season.profile) > least else None
        for season in (_season(at, values, period, slot) for period in (DAY_MS, WEEK_MS))
    )
    if weekly is None or daily is None:
        return weekly or daily
    better = np.var(values - weekly.values(at)) < WEEK_BETTER * np.var(values - daily.values(at))
    return weekly if better else daily


def _slot_for(span: int, points: int) -> int:
    """The shortest of 1, 2, 3, 4, 6 hours that points so far apart can fill."""
    apart = span / max(1, points - 1)
    return next((hours * HOUR_MS for hours in (1, 2, 3, 4, 6) if hours * HOUR_MS >= 0.9 * apart), DAY_MS)


def _season(at: Times, values: Numbers, period_ms: int, slot_ms: int) -> Season | None:
    slots = period_ms // slot_ms
    if int(at[-1] - at[0]) < PERIODS_MIN * period_ms - slot_ms or slots < 4:
        return None
    slot = (at % period_ms) // slot_ms
    odd = (at // period_ms) % 2 == 1
    halves = [_profile(slot[half], values[half], slots) for half in (odd, ~odd)]
    both = np.isfinite(halves[0]) & np.isfinite(halves[1])
    if both.sum() < 0.75 * slots:
        return None
    strength = _correlation(halves[0][both], halves[1][both])
    profile = _profile(slot, values, slots)
    if strength < STRENGTH_MIN:
        return None
    known = np.isfinite(profile)
    profile = np.interp(np.arange(slots), np.flatnonzero(known), profile[known], period=slots)
    return Season(period_ms, slot_ms, profile - profile.mean(), strength)


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
