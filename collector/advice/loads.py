"""The load that a service had: over its instances, how many of them it would have kept at their target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collector.store import DAY_MS, Samples, Steps
from rules.capacity.slope import Numbers, Times

STEP_MS = 15 * 60_000
PAST_MS = 28 * DAY_MS
HOSTS_MAX = 200
"""Of more instances so many speak for all."""


async def past_load(
    samples: Samples,
    series: Sequence[tuple[int, str]],
    target: float,
    now: int,
    past_ms: int = PAST_MS,
    step_ms: int = STEP_MS,
) -> tuple[Times, Numbers]:
    """Times and load up to now, evenly apart, each in the middle of its step; NaN where no instance was heard. `series`
    are hosts with the name of what `target` is for."""
    first = (now - past_ms) // step_ms * step_ms
    begins = np.arange(first, now, step_ms, dtype=np.int64)
    load, speaking = np.zeros(len(begins)), np.zeros(len(begins), bool)
    asked = series[:HOSTS_MAX]
    for host, name in asked:
        steps = (await samples.series_step(host, [name], first, now, step_ms)).get(name)
        if steps is not None:
            _add(begins, load, speaking, steps, target, step_ms)
    load *= len(series) / max(1, len(asked))
    return begins + step_ms // 2, np.where(speaking, load, np.nan)


def _add(
    begins: Times, load: Numbers, speaking: np.ndarray, steps: Steps, target: float, step_ms: int
) -> None:
    """A step that is longer than ours, of a past of which only rollups are left, speaks for several of ours."""
    known = steps.count > 0
    for shift in range(0, max(steps.step_ms, step_ms), step_ms):
        places = ((steps.at[known] + shift - begins[0]) // step_ms).astype(np.int64)
        within = (places >= 0) & (places < len(begins))
        np.add.at(load, places[within], steps.mean[known][within] / target)
        speaking[places[within]] = True
