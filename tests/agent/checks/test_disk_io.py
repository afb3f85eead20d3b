from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks.disk_io import DISKSTATS, MS_WRAP, SYS_BLOCK, Check, Counted, Options, values

RECORDED = Path(__file__).parents[2] / "data" / "diskstats.txt"
PHYSICAL = ("nvme0n1", "sda", "sdb", "sr0", "fd0", "mmcblk0", "mmcblk0boot0", "cciss!c0d0")
"""Which of the recorded devices have hardware behind them, by their names in /sys."""


@pytest.fixture
def sys_block(tmp_path: Path) -> Path:
    for name in PHYSICAL:
        (tmp_path / "block" / name / "device").mkdir(parents=True)
    for name in ("loop0", "ram0", "dm-0", "md127", "zram0"):
        (tmp_path / "block" / name).mkdir(parents=True)
    return tmp_path / "block"


def disks(samples: dict[str, float | None]) -> list[str]:
    return sorted({name.split('"')[1] for name in samples})


def seen(options: Options, sys_block: Path) -> list[str]:
    check = Check(options, RECORDED, sys_block)
    check.measure(0.0)
    return disks(check.measure(1.0).samples)


def stat_of(disk: str) -> list[int]:
    """What the kernel tells elsewhere: reads, merged, sectors, ms, writes, merged, sectors, ms, …"""
    return [int(field) for field in (SYS_BLOCK / disk / "stat").read_text().split()]


def test_it_agrees_with_sys_over_the_same_time(tmp_path: Path) -> None:
    check = Check(Options())
    check.measure(100.0)
    names = [line.split()[2] for line in DISKSTATS.read_text().splitlines()]
    real = [
        name for name in names if (SYS_BLOCK / name / "device").exists() and not name.startswith(("sr", "fd"))
    ]
    before = {disk: stat_of(disk) for disk in real}
    with (tmp_path / "written").open("wb") as file:
        for _ in range(8):
            file.write(os.urandom(1024 * 1024))
            file.flush()
            os.fsync(file.fileno())
    samples = check.measure(110.0).samples
    now = {disk: stat_of(disk) for disk in real}
    assert disks(samples) == sorted(real)
    for disk in real:
        passed = [n - b for n, b in zip(now[disk], before[disk], strict=True)]
        assert samples[f'disk_read_bytes_per_s{{disk="{disk}"}}'] == pytest.approx(
            passed[2] * 51.2, rel=0.2, abs=1e5
        )
        assert samples[f'disk_write_bytes_per_s{{disk="{disk}"}}'] == pytest.approx(
            passed[6] * 51.2, rel=0.2, abs=1e5
        )
        assert samples[f'disk_writes_per_s{{disk="{disk}"}}'] == pytest.approx(passed[4] / 10, rel=0.2, abs=5)
        assert samples[f'disk_busy_pct{{disk="{disk}"}}'] == pytest.approx(passed[9] / 100, rel=0.2, abs=2)


def test_disks_are_what_has_a_device_and_neither_their_parts_nor_what_is_made_of_them(
    sys_block: Path,
) -> None:
    assert seen(Options(), sys_block) == ["cciss/c0d0", "mmcblk0", "nvme0n1", "sda", "sdb"]


def test_others_can_be_included_by_name(sys_block: Path) -> None:
    assert seen(Options(include_disks=("dm-*", "sr0", "nvme*")), sys_block) == [
        "dm-0",
        "nvme0n1",
        "nvme0n1p1",
        "nvme0n1p2",
        "sr0",
    ]
    assert seen(Options(exclude_disks=("sd*",)), sys_block) == [
        "cciss/c0d0",
        "fd0",
        "mmcblk0",
        "mmcblk0boot0",
        "nvme0n1",
        "sr0",
    ]


def test_the_first_look_has_nothing_to_compare_with(sys_block: Path) -> None:
    assert Check(Options(), RECORDED, sys_block).measure(0.0).samples == {}


def test_what_a_disk_did_in_ten_seconds(tmp_path: Path, sys_block: Path) -> None:
    diskstats = tmp_path / "diskstats"
    check = Check(Options(), diskstats, sys_block)
    diskstats.write_text("8 0 sda 100 0 8000 500 200 0 16000 900 0 1000 1400\n")
    check.measure(50.0)
    diskstats.write_text("8 0 sda 150 0 28480 800 350 0 57960 1900 3 3500 2700\n")
    assert check.measure(60.0).samples == {
        'disk_reads_per_s{disk="sda"}': 5,
        'disk_read_bytes_per_s{disk="sda"}': 1024 * 1024,
        'disk_writes_per_s{disk="sda"}': 15,
        'disk_write_bytes_per_s{disk="sda"}': 41_960 * 51.2,
        'disk_busy_pct{disk="sda"}': 25,
        'disk_await_ms{disk="sda"}': 6.5,
    }


def test_a_disk_that_had_nothing_to_do_took_no_time_to_answer() -> None:
    same = Counted(0.0, 5, 5, 5, 5, 5, 5)
    assert values(same, Counted(10.0, 5, 5, 5, 5, 5, 5)) == {
        "disk_read_bytes_per_s": 0,
        "disk_write_bytes_per_s": 0,
        "disk_reads_per_s": 0,
        "disk_writes_per_s": 0,
        "disk_busy_pct": 0,
    }


def test_a_disk_that_hangs_is_busy_and_answers_nothing() -> None:
    found = values(Counted(0.0, 5, 5, 5, 5, 5, 1_000), Counted(10.0, 5, 5, 5, 5, 5, 11_004))
    assert found["disk_busy_pct"] == 100
    assert "disk_await_ms" not in found


def test_the_milliseconds_of_the_kernel_begin_anew_after_fifty_days() -> None:
    found = values(Counted(0.0, 0, 0, 10, 0, MS_WRAP - 30, MS_WRAP - 100), Counted(1.0, 0, 0, 20, 0, 20, 400))
    assert found["disk_await_ms"] == 5
    assert found["disk_busy_pct"] == 50


def test_a_disk_that_was_taken_out_and_put_in_again_is_a_gap(tmp_path: Path, sys_block: Path) -> None:
    diskstats = tmp_path / "diskstats"
    check = Check(Options(), diskstats, sys_block)
    found = []
    for at_s, reads in enumerate((5_000, 40, 60)):
        diskstats.write_text(f"8 0 sda {reads} 0 8000 500 200 0 16000 900 0 1000 1400\n")
        found.append(check.measure(float(at_s)).samples.get('disk_reads_per_s{disk="sda"}'))
    assert found == [None, None, 20]


def test_a_kernel_without_disks_is_fine(tmp_path: Path) -> None:
    found = Check(Options(), tmp_path / "diskstats", tmp_path).measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail == "this kernel does not tell what its disks do"


counts = st.integers(0, 2**64 - 1)
counted = st.builds(Counted, st.floats(0, 1e9), *[counts] * 4, *[st.integers(0, MS_WRAP - 1)] * 2)


@given(before=counted, now=counted)
def test_whatever_the_counters_do_no_value_is_negative_and_no_disk_busier_than_all_the_time(
    before: Counted, now: Counted
) -> None:
    found = values(before, now)
    assert all(value >= 0 for value in found.values())
    assert found.get("disk_busy_pct", 0) <= 100
