"""What the store said a moment ago, so that it is not asked at every request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

FRESH_MS = 2_000
ENTRIES_MAX = 10_000
UNKNOWN_MAX = 1_000


def nobody_minds() -> None:
    """For whoever need not hear that something changed."""


class Known(Generic[K, V]):
    """Asks `read` about a key and remembers the answer for `FRESH_MS`: within that time a change made by another
    process is noticed. What there is not is remembered apart, so that guessing does not push out what there is.
    An answer that was under way while something was changed is given and not remembered: it may be the old one.

    `changed` is called when something is forgotten, for whoever built upon it."""

    def __init__(
        self,
        read: Callable[[K], Awaitable[V | None]],
        now_ms: Callable[[], int],
        changed: Callable[[], None] = nobody_minds,
    ) -> None:
        self._read, self._now_ms, self._changed = read, now_ms, changed
        self._there: OrderedDict[K, tuple[int, V]] = OrderedDict()
        self._not_there: OrderedDict[K, int] = OrderedDict()
        self._changes = 0

    def has(self, key: K) -> bool:
        """Whether it was there of late, so that asking for it costs next to nothing."""
        return key in self._there

    async def get(self, key: K) -> V | None:
        """Raises what `read` does."""
        now = self._now_ms()
        if (found := self._there.get(key)) is not None and 0 <= now - found[0] < FRESH_MS:
            return found[1]
        if (read_at := self._not_there.get(key)) is not None and 0 <= now - read_at < FRESH_MS:
            return None
        changes = self._changes
        value = await self._read(key)
        if changes != self._changes:
            return value
        self._drop(key)
        if value is None:
            self._not_there[key] = now
            if len(self._not_there) > UNKNOWN_MAX:
                self._not_there.popitem(last=False)
        else:
            self._there[key] = (now, value)
            if len(self._there) > ENTRIES_MAX:
                self._there.popitem(last=False)
        return value

    def forget(self, key: K) -> None:
        """It was changed just now."""
        self._changes += 1
        self._drop(key)
        self._changed()

    def forget_all(self) -> None:
        self._changes += 1
        self._there.clear()
        self._not_there.clear()
        self._changed()

    def _drop(self, key: K) -> None:
        self._there.pop(key, None)
        self._not_there.pop(key, None)
