"""Waiting for what is to come about, for no longer than it may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 30.0
"""More than anything takes on a busy machine: only what never comes about takes so long."""


def until(is_so: Callable[[], object], limit_s: float = PATIENCE_S) -> None:
    end_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end_s, f"waited {limit_s:g} s in vain"
        time.sleep(0.01)


async def until_it_is(is_so: Callable[[], object], limit_s: float = PATIENCE_S) -> None:
    """The same, while the loop goes on."""
    end_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end_s, f"waited {limit_s:g} s in vain"
        await asyncio.sleep(0.01)


async def found(
    look: Callable[[], Awaitable[T]], is_it: Callable[[T], object] = bool, limit_s: float = PATIENCE_S
) -> T:
    """What `look` finds, as soon as that is what is waited for."""
    end_s = time.monotonic() + limit_s
    while not is_it(seen := await look()):
        assert time.monotonic() < end_s, f"waited {limit_s:g} s in vain; at last there was {seen!r}"
        await asyncio.sleep(0.01)
    return seen
