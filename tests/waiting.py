"""Waiting for what is to come about, for no longer than it may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


def until(is_so: Callable[[], object], limit_s: float = 10.0) -> None:
    end_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end_s, f"waited {limit_s:g} s in vain"
        time.sleep(0.01)


async def until_it_is(is_so: Callable[[], object], limit_s: float = 10.0) -> None:
    """The same, while the loop goes on."""
    end_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end_s, f"waited {limit_s:g} s in vain"
        await asyncio.sleep(0.01)
