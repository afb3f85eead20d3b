from __future__ import annotations

import ctypes
import struct

import pytest

from agent.checks.clock import STA_NANO, STA_PLL, STA_UNSYNC, Check, Options, Timex, adjtimex

UNTOLD = "nothing keeps this clock in step with the world's time"


def from_the_kernel() -> tuple[int, int, int]:
    """Offset, largest error and status by another system call, clock_adjtime, taken apart by hand."""
    told = ctypes.create_string_buffer(512)
    assert ctypes.CDLL(None).clock_adjtime(0, told) >= 0
    offset, _, error_max, _, status = struct.unpack_from(
        "@I4x4li" if ctypes.sizeof(ctypes.c_long) == 8 else "@I4li", told
    )[1:]
    return offset, error_max, status


def test_it_agrees_with_the_kernel() -> None:
    offset, error_max, status = from_the_kernel()
    told = adjtimex()
    assert (told.offset, told.status) == (offset, status)
    assert told.maxerror == pytest.approx(error_max, abs=1_000)
    assert told.time.tv_sec > 1_700_000_000
    found = Check(Options()).measure(0.0)
    assert found.state == "ok"
    assert found.samples["clock_synced"] == (0 if status & STA_UNSYNC else 1)
    assert (found.detail == UNTOLD) == bool(status & STA_UNSYNC)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            Timex(status=STA_PLL | STA_NANO, offset=-2_500_000, maxerror=31_000),
            {"clock_synced": 1, "clock_offset_ms": -2.5, "clock_error_max_ms": 31.0},
            id="systemd-timesyncd, in nanoseconds",
        ),
        pytest.param(
            Timex(status=STA_PLL, offset=1_200, maxerror=8_500),
            {"clock_synced": 1, "clock_offset_ms": 1.2, "clock_error_max_ms": 8.5},
            id="an older ntpd, in microseconds",
        ),
        pytest.param(
            Timex(status=0, offset=0, maxerror=12_345),
            {"clock_synced": 1, "clock_error_max_ms": 12.345},
            id="chrony, which does not tell the kernel an offset",
        ),
        pytest.param(
            Timex(status=STA_UNSYNC | STA_PLL | STA_NANO, offset=0, maxerror=16_000_000),
            {"clock_synced": 0},
            id="nobody: no offset is not an offset of 0",
        ),
    ],
)
def test_what_is_said_depends_on_who_keeps_the_clock(told: Timex, expected: dict[str, float]) -> None:
    found = Check(Options(), lambda: told).measure(0.0)
    assert found.samples == pytest.approx(expected)
    assert (found.state, found.detail) == ("ok", "" if expected["clock_synced"] else UNTOLD)


def test_where_asking_is_forbidden_that_is_said_and_is_no_failure() -> None:
    def forbidden() -> Timex:
        raise PermissionError(1, "Operation not permitted")

    found = Check(Options(), forbidden).measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail == "the kernel may not be asked about its clock here (Operation not permitted)"
