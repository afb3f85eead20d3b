"""How memory is taken from the system."""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8  # <malloc.h> of glibc


def share_one() -> None:
    """Have all threads take their memory from one heap; to be called before there are any.

    glibc gives each thread a heap of its own, so that they need not wait for each other. Ours run one at a time anyhow,
    and every heap keeps room that no other can use. A C library that has no such call has no such heaps.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
