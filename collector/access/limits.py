"""How often somebody may ask: a bucket for each, which fills at a steady pace and is emptied by asking."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

ENTRIES_MAX = 10_000


class Standing(Struct, frozen=True):
    """How a bucket is after somebody asked: whether they may, how many more they may ask at once, when it is full
    again, and how long to wait when it is empty."""

    allowed: bool
    burst: int
    remaining: int
    full_in_s: int
    wait_s: int

    @property
    def headers(self) -> dict[str, str]:
        told = {
            "X-RateLimit-Limit": str(self.burst),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.full_in_s),
        }
        return told if self.allowed else {**told, "Retry-After": str(self.wait_s)}


class _Bucket(Struct):
    level: float
    at_s: float


class Buckets:
    """One for each name, of `burst`, filled by `per_s`. Of names there are at most ENTRIES_MAX: whoever asked longest
    ago begins anew, with a bucket that would mostly be full by then."""

    def __init__(self, per_s: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._per_s, self._burst, self._monotonic = per_s, burst, monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str) -> Standing:
        """Ask once."""
        bucket = self._filled(name)
        allowed = bucket.level >= 1
        if allowed:
            bucket.level -= 1
        return Standing(
            allowed=allowed,
            burst=self._burst,
            remaining=int(bucket.level),
            full_in_s=math.ceil((self._burst - bucket.level) / self._per_s),
            wait_s=max(1, math.ceil((1 - bucket.level) / self._per_s)),
        )

    def is_empty(self, name: str) -> bool:
        return name in self._buckets and self._filled(name).level < 1

    def __len__(self) -> int:
        return len(self._buckets)

    def _filled(self, name: str) -> _Bucket:
        now_s = self._monotonic()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(float(self._burst), now_s)
            if len(self._buckets) > ENTRIES_MAX:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
            bucket.level = min(self._burst, bucket.level + (now_s - bucket.at_s) * self._per_s)
            bucket.at_s = now_s
        return bucket
