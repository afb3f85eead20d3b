"""How long things took, counted in buckets that are the same everywhere and for ever, so that they can be added up.

Each bucket ends a tenth above the one below it. Counts of any ticks, hosts and labels are added bucket by bucket, and a
percentile of the sum lies within ERROR of that of the values themselves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rules.model import Series

GROWTH = 1.1
ERROR = 0.05
"""How far a percentile may lie from the true one, as a share of it; for values from LOWEST on."""
UPTO: Final = tuple(float(f"{GROWTH**power:.4g}") for power in range(-145, 291))
"""Where each bucket ends, that value included. What is written here is in stores: it stays as it is."""
LOWEST, HIGHEST = UPTO[0], UPTO[-1]
ENDING, LABEL, SHARE_LABEL = "_bucket", "upto", "quantile"
"""A bucket is a series, took_ms_bucket{upto="12.11"}; so is a percentile, took_ms{quantile="0.95"}."""

_NUMBER: Final = {f"{upto:.15g}": number for number, upto in enumerate(UPTO)}
_TEXT: Final = tuple(_NUMBER)

Counts = Mapping[int, int]
"""How many values fell into each bucket, by its number; a bucket without any may be left out."""


def bucket_of(value: float) -> int:
    """The number of the bucket for a value from 0 to HIGHEST."""
    return bisect_left(UPTO, value)


def label_of(bucket: int) -> str:
    """The end of a bucket, as the label of its series says it."""
    return _TEXT[bucket]


def bucket_in(series: Series, wanted: Series) -> int | None:
    """The number of the bucket that a series counts for a metric; its labels must include those of `wanted`."""
    if series.metric != wanted.metric + ENDING or not wanted.labels.items() <= series.labels.items():
        return None
    return _NUMBER.get(series.labels.get(LABEL, ""))


def merged(many: Iterable[Counts]) -> dict[int, int]:
    whole: dict[int, int] = {}
    for counts in many:
        for bucket, count in counts.items():
            whole[bucket] = whole.get(bucket, 0) + count
    return whole


def percentiles(counts: Counts, wanted: Sequence[float]) -> list[float] | None:
    """For each of `wanted` (0 < p <= 100) a value that p % of all do not exceed; None when there are none."""
    total = sum(counts.values())
    if not total:
        return None
    found = {}
    buckets = iter(sorted(bucket for bucket, count in counts.items() if count))
    bucket, reached = -1, 0
    for percent in sorted(wanted):
        rank = min(total, max(1, -(-total * percent // 100)))
        while reached < rank:
            bucket = next(buckets)
            reached += counts[bucket]
        found[percent] = _middle(bucket)
    return [found[percent] for percent in wanted]


def _middle(bucket: int) -> float:
    """What is as far, as a share, from either end of a bucket."""
    if not bucket:
        return 0.0
    low, high = UPTO[bucket - 1], UPTO[bucket]
    return 2 * low * high / (low + high)
