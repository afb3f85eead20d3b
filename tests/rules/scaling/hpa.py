"""Kubernetes' HorizontalPodAutoscaler written down a second time, from its documentation, in exact fractions.

For numbers that each instance gives, all of them ready, some perhaps missing; with its default behaviour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

TENTH = Fraction(1, 10)


def of_metric(current: int, values: Sequence[int | None], target: int) -> int | None:
    """What one metric asks for; None when nobody gave it."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    ratio = Fraction(sum(known), len(known) * target)
    missing = len(values) - len(known)
    if not missing:
        return current if abs(ratio - 1) <= TENTH else math.ceil(ratio * len(known))
    if ratio == 1:
        return current
    supposed = max(100, target) if ratio < 1 else 0
    careful = Fraction(sum(known) + missing * supposed, len(values) * target)
    wanted = math.ceil(careful * len(values))
    if abs(careful - 1) <= TENTH or (ratio < 1 < careful) or (careful < 1 < ratio):
        return current
    if (careful < 1 and wanted > current) or (careful > 1 and wanted < current):
        return current
    return wanted


def of_all(
    current: int, metrics: Mapping[str, tuple[Sequence[int | None], int]], least: int, most: int
) -> int | None:
    """The greatest of them within bounds; fewer only if all metrics are there."""
    asked = [of_metric(current, values, target) for values, target in metrics.values()]
    known = [wanted for wanted in asked if wanted is not None]
    if not known:
        return None
    wanted = max(known)
    if wanted < current and None in asked:
        wanted = current
    return min(max(wanted, least), most)


def at_default_pace(current: int, wanted: int, past_wanted: Sequence[int]) -> int:
    """Up by 4 or to twice as many at once, whichever is more; down to the most of the last 5 minutes."""
    if wanted < current:
        return min(current, max([wanted, *past_wanted]))
    return min(wanted, max(current + 4, 2 * current))
