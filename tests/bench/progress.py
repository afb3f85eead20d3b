"""What is told on stderr while it is measured, and the longest that a part may take: none may hang all others."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def tell_each(nth: int, turn: int, turns: int, what: str) -> None:
    """How far it is, at each so manieth turn but the first."""
    if turn and turn % nth == 0:
        tell(f"  {turn} of {turns} {what}")


class TooLong(Exception):
    """The sentence says how long it was waited for."""


@contextmanager
def within(limit_s: float) -> Iterator[None]:
    """TooLong in the midst of whatever is being done then, be it a wait for something that never comes."""

    def give_up(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TooLong(f"it was not done after {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
