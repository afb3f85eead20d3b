"""Asking for instances before the load comes, where it comes every day or week.

Load is counted in instances that are kept at their target. A pattern is a trend and a season; how far it can be trusted
is found by asking it, for each hour of the days behind us, what it would have foretold from what was known then.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from rules.capacity.season import DAY_MS, HOUR_MS, Season, find_season
from rules.capacity.slope import Numbers, Slope, Times, theil_sen, thinned
from rules.scaling.model import Foreseen

SLOT_MS = HOUR_MS // 4
DAYS_MIN = 3
DAYS_TRIED = 7
LINE_POINTS = 336
SWING_MIN = 0.2
"""A season of less than this share of the usual load is not worth preparing for."""
RISE_MIN = 1.2
"""A peak is what is that much above the load an hour, or whatever the time ahead is, before."""
TOO_LOW, TOO_HIGH = 0.9, 1.25
"""A peak was foretold when what was said lies between these shares of what came."""
PEAKS_MIN = 3
RECENT_MS = HOUR_MS


class Pattern(Struct, frozen=True):
    """How the load goes: a line, and what comes back upon it."""

    line: Slope
    season: Season

    def values(self, at: Times) -> Numbers:
        return np.maximum(self.line.line(at) + self.season.values(at), 0.0)


class BackTest(Struct, frozen=True):
    """Of so many peaks that came, or were foretold and did not come, so many were foretold rightly. `error_pct` is the
    usual difference, up or down; `naive_error_pct` that of saying it will be as it is."""

    peaks: int
    foretold: int
    error_pct: float
    naive_error_pct: float

    @property
    def trust_pct(self) -> float:
        return 100 * self.foretold / self.peaks if self.peaks else 0.0


class Study(Struct, frozen=True):
    """What the past teaches: a pattern and how it did, or None with the reason."""

    pattern: Pattern | None
    test: BackTest | None
    reason: str


def study(at: Times, load: Numbers, by_ms: int) -> Study:
    """Look for a pattern and try it. `at` ascends, NaN is a load that nobody knows. It takes a tenth of a second, and
    holds for hours."""
    known = np.isfinite(load)
    at, load = at[known], load[known]
    if len(at) < 48 or at[-1] - at[0] < DAYS_MIN * DAY_MS:
        return Study(None, None, f"fewer than {DAYS_MIN} days of load are known")
    pattern = find_pattern(at, load)
    if pattern is None:
        return Study(None, None, "no load that comes back every day or week stands out")
    test = back_test(at, load, by_ms)
    if test.peaks < PEAKS_MIN:
        return Study(None, test, "there were too few peaks to try the pattern on")
    said = (
        f"of {test.peaks} peaks of late a {pattern.season.name} pattern would have foretold {test.foretold}"
    )
    return Study(pattern, test, said)


def foresee(learnt: Study, at: Times, load: Numbers, now: int, by_ms: int) -> Foreseen | None:
    """The greatest load of the time ahead, `by_ms` from now on; `at` and `load` need hold the last hour only."""
    if learnt.pattern is None or learnt.test is None:
        return None
    known = np.isfinite(load) & (at <= now)
    needed, when = _greatest(learnt.pattern, at[known], load[known], now, by_ms)
    return Foreseen(needed, when, learnt.test.trust_pct)


def find_pattern(at: Times, load: Numbers) -> Pattern | None:
    """What comes back in a load that is known; None where nothing does."""
    line = theil_sen(*thinned(at, load, LINE_POINTS), until=int(at[-1]))
    if line is None:
        return None
    season = find_season(at, load - line.line(at), SWING_MIN * float(np.median(load)), SLOT_MS)
    if season is None:
        return None
    line = theil_sen(*thinned(at, load - season.values(at), LINE_POINTS), until=int(at[-1]))
    return None if line is None else Pattern(line, season)


def back_test(at: Times, load: Numbers, by_ms: int) -> BackTest:
    """Try the pattern on each of the last days, each time with what was known before that day."""
    peaks = foretold = 0
    errors: list[float] = []
    naive: list[float] = []
    first = max(int(at[0]) + DAYS_MIN * DAY_MS, int(at[-1]) - DAYS_TRIED * DAY_MS)
    for day in range(first, int(at[-1]), DAY_MS):
        pattern = find_pattern(at[at < day], load[at < day])
        if pattern is None:
            continue
        for hour in range(day, min(day + DAY_MS, int(at[-1]) - by_ms + 1), HOUR_MS):
            found = _tried(pattern, at, load, hour, by_ms)
            if found is None:
                continue
            said, came, before = found
            errors.append(abs(said - came) / came)
            naive.append(abs(before - came) / came)
            if max(said, came) >= RISE_MIN * before:
                peaks += 1
                foretold += TOO_LOW * came <= said <= TOO_HIGH * came
    usual = [100 * float(np.median(some)) if some else 0.0 for some in (errors, naive)]
    return BackTest(peaks, foretold, round(usual[0], 1), round(usual[1], 1))


def _tried(
    pattern: Pattern, at: Times, load: Numbers, hour: int, by_ms: int
) -> tuple[float, float, float] | None:
    """What would have been said of the greatest load ahead, what came, and what was then; None where one is unknown."""
    first, last, upto = np.searchsorted(at, (hour - RECENT_MS, hour, hour + by_ms), side="right")
    if last == first or upto == last:
        return None
    came, before = float(load[last:upto].max()), float(load[last - 1])
    if came <= 0 or before <= 0:
        return None
    said, _ = _greatest(pattern, at[:last], load[:last], hour, by_ms)
    return said, came, before


def _greatest(pattern: Pattern, at: Times, load: Numbers, now: int, by_ms: int) -> tuple[float, int]:
    """The greatest load ahead and when it comes: what the pattern says, moved by how far the last hour was off it."""
    recent = at > now - RECENT_MS
    off = float(np.median(load[recent] - pattern.values(at[recent]))) if recent.any() else 0.0
    ahead = np.arange(now, now + by_ms + 1, SLOT_MS // 3, dtype=np.int64)
    said = pattern.values(ahead) + off
    greatest = int(np.argmax(said))
    return float(said[greatest]), int(ahead[greatest])
