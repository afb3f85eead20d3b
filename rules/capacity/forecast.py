"""When something will be full, as a range of days, or in plain words why that cannot be said.

It says "fills" only when the whole range of its slope grows, looks no further ahead than a few times what it has seen,
half a year at most, and would rather be silent than wrong: a forecast that cried wolf is read no more.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from rules.capacity.season import DAY_MS, HOUR_MS, Season, find_season
from rules.capacity.shape import LIMIT_SHARE, Kind, Shape, look
from rules.capacity.slope import Numbers, Slope, Times, theil_sen, thinned

HORIZON_DAYS = 183.0
REACH = 5
"""It looks ahead this many times as far as it can see back."""
POINTS_MIN = 12
TOPS_MIN = 3
LATE_POINTS_MIN = 24
HIGH_PCT = 95
SEEN_BEFORE = 0.7
"""What once changed by this share of what it changes by now is taken to do so from time to time."""
SPAN_MS_MIN = 30 * 60_000

Outlook = Literal["fills", "steady", "unknown"]
Points = tuple[Times, Numbers]
"""A series: times ascending, NaN where there was no answer."""


class Past(Struct, frozen=True):
    """What a series did: `far` is long ago in few points, `near` the newest hours in many."""

    far: Points
    near: Points


class Forecast(Struct, frozen=True):
    """What becomes of the room that is left.

    `fills`: at the limit in about `days`, not before `soonest_days`; `latest_days` is None where the end of the range
    lies beyond the horizon. `steady`: not within `horizon_days`. `unknown`: `reason` says why. `level` and `per_day`
    are in the unit of the series, None when unknown; `since` is where the past that counts begins.
    """

    outlook: Outlook
    reason: str
    days: float | None = None
    soonest_days: float | None = None
    latest_days: float | None = None
    horizon_days: float = 0.0
    level: float | None = None
    per_day: float | None = None
    shape: Kind = "plain"
    season: str = ""
    since: int = 0
    points: int = 0

    def within(self, days: float) -> bool | None:
        """Whether it will be at the limit within so many days, by the best guess; None when that is not known."""
        if self.outlook == "fills":
            return self.days is not None and self.days <= days
        return False if self.outlook == "steady" and self.horizon_days >= days else None


def forecast(at: Times, values: Numbers, limit: float, now: int, *, below: bool = False) -> Forecast:
    """When a series will reach `limit`: from below, or with `below` from above (as free bytes reach none).

    `at` ascends; NaN in `values` is a sample without an answer and is left out. Samples after `now` count for nothing.
    Give it some 288 to 720 points; more are thinned. It takes some milliseconds.
    """
    past = at <= now
    at, values = thinned(at[past], values[past])
    if below:
        found = forecast(at, -values, -limit, now)
        return _turned(found)
    if len(at) < POINTS_MIN or at[-1] - at[0] < SPAN_MS_MIN:
        return Forecast("unknown", "there is too little to go by yet", points=len(at))
    if values[-1] >= limit:
        return Forecast(
            "fills", "it is at the limit already", 0.0, 0.0, 0.0, level=float(values[-1]), points=len(at)
        )
    if values[-1] + REACH * np.ptp(values) < limit:
        return _hardly_changes(at, values, now)
    shape = look(at, values, limit)
    too_short = _too_short(shape)
    if too_short:
        return Forecast(
            "unknown", too_short, shape=shape.kind, since=shape.cut_at or int(at[0]), points=len(shape.at)
        )
    return _extrapolated(shape, limit, now)


def forecast_with_newest(
    past: Past,
    limit: float,
    now: int,
    *,
    below: bool = False,
) -> Forecast:
    """The same from a long past in few points, and the newest hours in many: what runs away since an hour shows only
    there. It is believed where the long past knows no such rise: a tooth of a saw looks like it, seen from near."""
    found = forecast(*past.far, limit, now, below=below)
    near = forecast(*past.near, limit, now, below=below)
    if near.outlook != "fills" or near.days is None or (found.days is not None and found.days <= near.days):
        return found
    sign = -1 if below else 1
    at, values = thinned(*past.far)
    newest_at, newest_values = thinned(*past.near)
    span, rise = int(newest_at[-1] - newest_at[0]), sign * float(newest_values[-1] - newest_values[0])
    ends = at[(at - span >= at[0]) & (at <= newest_at[0])]
    if len(ends):
        rises = sign * (np.interp(ends, at, values) - np.interp(ends - span, at, values))
        if float(rises.max()) >= SEEN_BEFORE * rise:
            return found
    return near


def _hardly_changes(at: Times, values: Numbers, now: int) -> Forecast:
    """What moves so little cannot reach the limit within the time ahead, whichever way it moves."""
    since = int(at[0])
    horizon = min(HORIZON_DAYS, REACH * (now - since) / DAY_MS)
    return Forecast(
        "steady",
        f"it hardly changes; not at the limit within {_days(horizon)}",
        horizon_days=horizon,
        level=float(np.median(values[-POINTS_MIN:])),
        per_day=float(np.median(np.diff(values) / np.maximum(np.diff(at), 1))) * DAY_MS,
        since=since,
        points=len(at),
    )


def _too_short(shape: Shape) -> str:
    if shape.kind != "plain":
        return (
            "" if len(shape.at) >= TOPS_MIN else "it is emptied again and again, but not often enough to say"
        )
    if len(shape.at) >= POINTS_MIN and shape.at[-1] - shape.at[0] >= SPAN_MS_MIN:
        return ""
    return "it has jumped a short while ago; what was before says nothing of what comes"


def _extrapolated(shape: Shape, limit: float, now: int) -> Forecast:
    slope, season, since, above = _fit(shape, limit, now)
    horizon = min(HORIZON_DAYS, REACH * (now - since) / DAY_MS)
    found = Forecast(
        "unknown",
        "it is not plain whether it grows: the range of its slope goes from shrinking to growing",
        horizon_days=horizon,
        level=slope.level,
        per_day=slope.per_ms * DAY_MS,
        shape=shape.kind,
        season=season.name if season else "",
        since=since,
        points=len(shape.at),
    )
    if shape.kind == "sawtooth" and slope.level >= limit:
        top = max(0, shape.next_at - now) / DAY_MS
        said = f"its tops are at the limit, the next of them in about {_days(top)}"
        return replace(found, outlook="fills", reason=said, days=top, soonest_days=0.0, latest_days=top)
    soonest, days, latest = (
        _days_until(slope.level + above, per_ms, limit, now, horizon, season)
        for per_ms in (slope.high, slope.per_ms, slope.low)
    )
    if soonest is None or (days is None and slope.low > 0):
        return replace(found, outlook="steady", reason=_steady(slope, horizon))
    if days is not None and slope.low > 0:
        said = _filling(shape, days)
        return replace(
            found, outlook="fills", reason=said, days=days, soonest_days=soonest, latest_days=latest
        )
    if soonest * DAY_MS > now - since:
        said = f"it is not plain whether it grows, but not at the limit within {_days(soonest)}"
        return replace(found, outlook="steady", reason=said, horizon_days=soonest)
    return found


def _fit(shape: Shape, limit: float, now: int) -> tuple[Slope, Season | None, int, float]:
    """The line that goes on, what comes back upon it, since when the past follows both, and how far above them it comes
    now and then: the limit is met by the highest points, not by the mean."""
    at, values = shape.at, shape.values
    slope = _line(at, values, now)
    if shape.kind != "plain":
        return slope, None, int(at[0]), 0.0
    least = LIMIT_SHARE * abs(limit)
    season = find_season(at, values - slope.line(at), least)
    if season:
        values = values - season.values(at)
        slope = _line(at, values, now)
    slope, since = _of_late(at, values, slope, now)
    lately = at >= since
    above = float(np.percentile(values[lately] - slope.line(at[lately]), HIGH_PCT))
    return slope, season, since, above if above > least else 0.0


def _of_late(at: Times, values: Numbers, slope: Slope, now: int) -> tuple[Slope, int]:
    """Where the newest half, quarter, eighth … of the past plainly goes another way than the whole, and than any part
    as long did before, that part counts."""
    since, size = int(at[0]), len(at) // 2
    while size >= LATE_POINTS_MIN:
        newer = _line(at[-size:], values[-size:], now)
        other_way = newer.low > slope.high or newer.high < slope.low
        if other_way and _is_new(values, size, slope.per_ms < newer.per_ms):
            slope, since = newer, int(at[-size])
        size //= 2
    return slope, since


def _is_new(values: Numbers, size: int, faster: bool) -> bool:
    """Whether the last `size` points rise (or fall) as no part of that length did before: what ebbs and flows has
    been there before, and turned."""
    rises = values[size - 1 :] - values[: len(values) - size + 1]
    rises = rises if faster else -rises
    before = rises[: len(rises) - size]
    usual = float(np.median(before)) if len(before) else 0.0
    return not len(before) or float(before.max()) - usual < SEEN_BEFORE * (float(rises[-1]) - usual)


def _line(at: Times, values: Numbers, now: int) -> Slope:
    found = theil_sen(at, values, now)
    assert found is not None, "no fewer points than a line needs come here"
    return found


def _days_until(
    level: float, per_ms: float, limit: float, now: int, horizon: float, season: Season | None
) -> float | None:
    """When a line reaches the limit, the season's peaks upon it; None when not before the horizon."""
    if season is None:
        if level >= limit:
            return 0.0
        days = (limit - level) / per_ms / DAY_MS if per_ms > 0 else math.inf
        return days if days <= horizon else None
    if not math.isfinite(per_ms):
        return 0.0 if per_ms > 0 else None
    hours = np.arange(now, now + round(horizon * DAY_MS) + 1, HOUR_MS, dtype=np.int64)
    there = level + per_ms * (hours - now) + season.values(hours) >= limit
    return float((hours[int(np.argmax(there))] - now) / DAY_MS) if there.any() else None


def _steady(slope: Slope, horizon: float) -> str:
    if slope.low > 0:
        way = "it grows, but slowly"
    else:
        way = "it does not grow" if slope.high <= 0 else "it does not plainly grow"
    return f"{way}; not at the limit within {_days(horizon)}"


def _filling(shape: Shape, days: float) -> str:
    said = f"it will be at the limit in about {_days(days)}"
    if shape.overdue:
        return f"{said}; what used to empty it has not come"
    if shape.kind == "sawtooth":
        return f"{said}, by how its tops rise"
    return f"{said}, stair by stair" if shape.kind == "staircase" else said


def _days(days: float) -> str:
    """No finer than a forecast can be."""
    if days * 24 < 2:
        return f"{max(1, round(days * 24 * 60))} min"
    if days < 2:
        return f"{round(days * 24)} h"
    return f"{days:.0f} days"


def _turned(found: Forecast) -> Forecast:
    """What was found of the series turned upside down, for the series itself."""
    return replace(
        found,
        level=None if found.level is None else -found.level,
        per_day=None if found.per_day is None else -found.per_day,
    )
