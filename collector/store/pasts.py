"""A long past and the newest hours of some series, as what looks ahead wants to have them."""

from __future__ import annotations

from collections.abc import Sequence

from collector.store import DAY_MS, SERIES_AT_ONCE_MAX, Samples, Steps
from rules.capacity.forecast import Past, Points

FAR_MS, FAR_STEP_MS = 30 * DAY_MS, 2 * 3_600_000
NEAR_MS, NEAR_STEP_MS = DAY_MS // 2, 2 * 60_000
FAR_POINTS_MIN = 48


async def pasts_of(samples: Samples, host: int, names: Sequence[str], now: int) -> dict[str, Past]:
    """Of those that have one, the first hundred. StoreError."""
    wanted = list(names[:SERIES_AT_ONCE_MAX])
    if not wanted:
        return {}
    far = await samples.series_step(host, wanted, now - FAR_MS, now, FAR_STEP_MS)
    near = await samples.series_step(host, wanted, now - NEAR_MS, now, NEAR_STEP_MS)
    return {name: _past(far[name], near[name]) for name in wanted if name in far and name in near}


def _past(far: Steps, near: Steps) -> Past:
    """What is so short that the newest hours hold more points of it is seen in those alone."""
    is_long = len(far.at) >= min(len(near.at), FAR_POINTS_MIN)
    return Past(_points(far if is_long else near), _points(near))


def _points(steps: Steps) -> Points:
    """Each step at its middle: at its beginning it would have been less than its mean already."""
    known = steps.count > 0
    return steps.at[known] + steps.step_ms // 2, steps.mean[known]
