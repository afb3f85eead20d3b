"""How memory is taken from the system and given back, where the C library is glibc; others do well without.

By default each thread that asks for memory gets a heap of its own, up to eight for each processor, and what is free in
one is of no use to the others and stays. And whoever frees a large piece once has pieces of that size taken from a heap
from then on: two log-ins (19 MiB each to hash a password) would hold what they took for ever. Under load with pages and
log-ins a collector grew by ten megabytes a minute by that alone, and held three times what it used.
"""

from __future__ import annotations

import ctypes
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # <malloc.h>
GIVEN_BACK_FROM_BYTES = 1024 * 1024


def hold_little() -> None:
    """Have all threads share one heap, and large pieces go back to the system when they are free. To be called before
    there are any threads."""
    _set(M_ARENA_MAX, 1)
    _set(M_MMAP_THRESHOLD, GIVEN_BACK_FROM_BYTES)
    _set(M_TRIM_THRESHOLD, GIVEN_BACK_FROM_BYTES)


def _set(what: int, value: int) -> None:
    function: Any = getattr(ctypes.CDLL(None), "mallopt", None)
    if function is not None:
        function(what, value)
