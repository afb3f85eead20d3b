"""A thread with a view of its own of what is mounted, or with a network of its own. Only root can have one."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MOUNTS, NETWORK = 0x00020000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def apart(what: int, call: Callable[[], T]) -> T:
    """Call it in such a thread; the programs it starts see the same."""
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            must(libc.unshare(what))
            answers.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return answers[0]


def must(result: int) -> None:
    """OSError, unless the system call went well."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
