"""What keeps a number of instances from going up and down with every breath: stabilisation, pace and cooldown.

What bears a time after `now` was so before our clock was set back, and keeps nothing waiting until then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rules.scaling.model import Change, Pace, Past, ScalingPolicy, Way
from rules.scaling.weigh import ROUNDING

LONGEST_MS = 3_600_000
"""No window is longer, so that no more of the past need be kept, but for the last change."""


def smoothed(policy: ScalingPolicy, wish: int, current: int, past: Past, now: int) -> int:
    """What of a wish is to be done now, at the pace that is allowed; `wish` lies within min and max."""
    steady = _stabilised(policy, wish, current, past, now)
    sign = 1 if steady > current else -1
    way = policy.up if sign > 0 else policy.down
    if steady == current or way.select == "disabled" or cooling_until(way, past, now) is not None:
        return current
    reach = _reach(way, sign, current, past, now)
    if reach is None:
        return steady
    return min(steady, max(current, reach)) if sign > 0 else max(steady, min(current, reach))


def cooling_until(way: Way, past: Past, now: int) -> int | None:
    """When it may change that way again; None when it may now."""
    last = max((change.at for change in past.changes if change.at <= now), default=None)
    if last is None:
        return None
    until = last + round(way.cooldown_s * 1000)
    return until if until > now else None


def remembered(past: Past, now: int) -> Past:
    """What of the past may still matter."""
    since = now - LONGEST_MS
    return Past(
        tuple(wish for wish in past.wanted if wish[0] > since),
        tuple(change for change in past.changes if change.at > since) or past.changes[-1:],
    )


def _stabilised(policy: ScalingPolicy, wish: int, current: int, past: Past, now: int) -> int:
    """More only if it was wanted all through one window, fewer only if that was wanted all through the other."""
    least = min([wish, *_of_late(past, policy.up.stabilise_s, now)])
    most = max([wish, *_of_late(past, policy.down.stabilise_s, now)])
    return min(max(current, least), most)


def _of_late(past: Past, window_s: float, now: int) -> Sequence[int]:
    return [wanted for at, wanted in past.wanted if now - window_s * 1000 < at <= now]


def _reach(way: Way, sign: int, current: int, past: Past, now: int) -> int | None:
    """How far it may go by now, counted from where it was when each pace's while began; None for any distance."""
    ends = []
    for pace in way.pace:
        begun = current - _changed(past.changes, now - round(pace.per_s * 1000), now)
        ends.append(begun + sign * _step(pace, begun))
    if not ends:
        return None
    return max(ends) if (sign > 0) == (way.select == "max") else min(ends)


def _step(pace: Pace, begun: int) -> int:
    if pace.instances is not None:
        return pace.instances
    return math.ceil(begun * (pace.percent or 0.0) / 100 - ROUNDING)


def _changed(changes: Sequence[Change], since: int, now: int) -> int:
    return sum(change.after - change.before for change in changes if since < change.at <= now)
