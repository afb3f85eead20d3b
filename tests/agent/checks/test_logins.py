from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

import pytest

from agent.checks.logins import Check, Options

RECORD = bytes(384)
LOGIN_PROCESS = 6


def failed(check: Check, at_s: float) -> float | None:
    return check.measure(at_s).samples.get("logins_failed_per_s")


@pytest.fixture
def btmp(tmp_path: Path) -> Path:
    (tmp_path / "btmp").write_bytes(RECORD * 100)
    return tmp_path / "btmp"


def add(btmp: Path, records: int) -> None:
    with btmp.open("ab") as file:
        file.write(RECORD * records)


def test_what_failed_since_the_last_look_is_counted(btmp: Path) -> None:
    check = Check(Options(), btmp, "x86_64")
    assert failed(check, 100.0) is None, "what failed before anyone looked is history"
    assert failed(check, 110.0) == 0
    add(btmp, 5)
    assert failed(check, 120.0) == 0.5
    assert failed(check, 130.0) == 0


def test_a_file_that_is_begun_anew_each_month_loses_nothing_of_the_new_one(btmp: Path) -> None:
    check = Check(Options(), btmp, "x86_64")
    failed(check, 100.0)
    btmp.rename(btmp.with_suffix(".1"))
    btmp.write_bytes(b"")
    add(btmp, 3)
    assert failed(check, 101.0) == 3
    os.truncate(btmp, 0)
    add(btmp, 2)
    assert failed(check, 102.0) == 2


def test_it_counts_what_sshd_and_login_write(tmp_path: Path) -> None:
    """They do so by updwtmp of the C library, which knows the size of a record on this machine."""
    btmp = tmp_path / "btmp"
    btmp.touch()
    check = Check(Options(), btmp)
    failed(check, 100.0)
    record = ctypes.create_string_buffer(struct.pack("hi", LOGIN_PROCESS, 4711), 1024)
    for _ in range(20):
        ctypes.CDLL(None).updwtmp(os.fsencode(btmp), record)
    assert failed(check, 110.0) == 2


def test_it_counts_without_reading_what_only_root_may_read(btmp: Path) -> None:
    btmp.chmod(0)
    check = Check(Options(), btmp, "x86_64")
    failed(check, 0.0)
    assert failed(check, 1.0) == 0


def test_a_host_that_keeps_no_such_list_is_fine(tmp_path: Path) -> None:
    check = Check(Options(), tmp_path / "btmp", "x86_64")
    found = check.measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail == f"no list of failed logins ({tmp_path}/btmp: No such file or directory)"
    add(tmp_path / "btmp", 7)
    assert failed(check, 1.0) is None
    assert failed(check, 2.0) == 0


def test_a_machine_whose_records_are_not_known_says_so(btmp: Path) -> None:
    found = Check(Options(), btmp, "vax").measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert "not known" in found.detail
