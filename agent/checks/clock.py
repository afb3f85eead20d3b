"""Whether something keeps the clock in step with the world's time, and how far off it may be.

What the kernel was told by the program that does so (chrony, ntpd, systemd-timesyncd, a hypervisor). That says nothing
of a clock that nobody keeps, so such a clock has no offset. chrony corrects the clock in a way of its own, of which the
kernel knows no offset, only the largest error.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from typing import ClassVar

from agent.checks import CheckOptions, Measured

STA_PLL, STA_UNSYNC, STA_NANO = 0x0001, 0x0040, 0x2000
SERIES = {
    "clock_synced": "1 when a program keeps the clock in step with the world's time, else 0.",
    "clock_offset_ms": "How far the clock is behind, as far as that program has told the kernel; below 0 it is ahead.",
    "clock_error_max_ms": "How far the clock may be off at most; grows until it is set right again.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Timeval(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_usec", ctypes.c_long))


class Timex(ctypes.Structure):
    """struct timex of adjtimex(2); what comes after the time is not looked at, but the kernel writes there."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", Timeval),
        ("rest", ctypes.c_long * 32),
    )


@cache
def libc() -> ctypes.CDLL:
    # Opened once: each time makes classes anew, which lie about until the garbage is collected.
    return ctypes.CDLL(None, use_errno=True)


def adjtimex() -> Timex:
    """What the kernel knows of its clock; nothing is changed. OSError where asking is forbidden."""
    told = Timex(modes=0)
    if libc().adjtimex(ctypes.byref(told)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return told


class Check:
    def __init__(self, options: Options, ask: Callable[[], Timex] = adjtimex) -> None:
        self._ask = ask

    def measure(self, at_s: float) -> Measured:
        try:
            told = self._ask()
        except PermissionError as error:
            return Measured({}, detail=f"the kernel may not be asked about its clock here ({error.strerror})")
        if told.status & STA_UNSYNC:
            return Measured(
                {"clock_synced": 0}, detail="nothing keeps this clock in step with the world's time"
            )
        samples: dict[str, float | None] = {"clock_synced": 1, "clock_error_max_ms": told.maxerror / 1e3}
        if told.status & STA_PLL:
            samples["clock_offset_ms"] = told.offset / (1e6 if told.status & STA_NANO else 1e3)
        return Measured(samples)
