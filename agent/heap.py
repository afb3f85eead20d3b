"""How memory is taken from the system and given back, where the C library is glibc; others do well without."""

from __future__ import annotations

import ctypes
from typing import Any

M_ARENA_MAX = -8  # <malloc.h>


def share_one() -> None:
    """Have all threads take their memory from one heap; to be called before there are any.

    Each would get a heap of its own, so that they need not wait for each other. Ours run one at a time anyhow, and
    every heap keeps room that no other can use.
    """
    _call("mallopt", M_ARENA_MAX, 1)


def give_back() -> None:
    """Give the system what is free. Reading code and config leaves two megabytes that nobody takes for months."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: Any) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
