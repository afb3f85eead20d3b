"""A thread that sees mounts or a network of its own, which only root can have, or that may do as little as anybody."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

NOBODY = 65534
CALLS = {"x86_64": (116, 119, 117), "aarch64": (159, 149, 147)}
MOUNTS, NETWORK = 0x00020000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def apart(what: int, call: Callable[[], T]) -> T:
    """Call it in a thread that shares no mounts, or no network, with us; the programs it starts see the same."""

    def run() -> T:
        must(libc.unshare(what))
        return call()

    return in_a_thread(run)


def as_nobody(call: Callable[[], T]) -> T:
    """Call it in a thread that may do only what everybody may; whoever is not root is one of them already."""

    def run() -> T:
        if os.geteuid() == 0:
            # The functions of these names would change the other threads too.
            setgroups, setresgid, setresuid = CALLS[platform.machine()]
            must(libc.syscall(setgroups, 0, None))
            must(libc.syscall(setresgid, NOBODY, NOBODY, NOBODY))
            must(libc.syscall(setresuid, NOBODY, NOBODY, NOBODY))
        return call()

    return in_a_thread(run)


def in_a_thread(call: Callable[[], T]) -> T:
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
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
