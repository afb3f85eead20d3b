"""The collectors that may be pushed to: one at a time, the next when it is away, and the first again after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from agent.pusher.post import Answer, Post

HOME_AFTER_S = 300.0
"""How long after we left it the first one is tried again."""


class Collectors:
    """Several ways to where batches are stored. Not for several threads at once."""

    def __init__(self, posts: Sequence[Post], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._posts = list(posts)
        self._monotonic = monotonic
        self._at = 0
        self._left_home_s = 0.0
        self._away = 0  # so many have been tried in vain since one was there

    @property
    def place(self) -> str:
        """The one in use."""
        return self._posts[self._at].place

    def post(self, parts: Iterable[bytes], limit_s: float) -> Answer:
        """Send to the one in use; see Post."""
        if self._at and self._monotonic() - self._left_home_s >= HOME_AFTER_S:
            self._go_to(0)
        return self._posts[self._at].post(parts, limit_s)

    def was_there(self) -> None:
        """The one in use answered as a collector does: it is kept."""
        self._away = 0

    def was_away(self) -> bool:
        """The one in use did not: the next is used from now on. False when all have been tried in vain by now."""
        self._away += 1
        self._go_to((self._at + 1) % len(self._posts))
        if self._away < len(self._posts):
            return True
        self._away = 0
        return False

    def close(self) -> None:
        for post in self._posts:
            post.close()

    def _go_to(self, at: int) -> None:
        if at != self._at:
            self._posts[self._at].close()
            self._at = at
            self._left_home_s = self._monotonic()
