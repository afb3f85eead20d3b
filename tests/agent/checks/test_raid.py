from __future__ import annotations

from pathlib import Path

import pytest

from agent.checks import Measured
from agent.checks.raid import Check, Options, arrays, judged

RECORDED = Path(__file__).parents[2] / "data" / "mdstat.txt"


def found(tmp_path: Path, text: str) -> Measured:
    (tmp_path / "mdstat").write_text(text)
    return Check(Options(), tmp_path / "mdstat").measure(0.0)


def only(name: str) -> str:
    """One of the recorded arrays alone."""
    blocks = RECORDED.read_text().split("\n\n")
    blocks[0] = blocks[0].partition("\n")[2]
    (block,) = [block for block in blocks if block.startswith(f"{name} :")]
    return f"Personalities : [raid1] \n{block}\n\nunused devices: <none>\n"


@pytest.mark.parametrize(
    ("name", "state", "detail"),
    [
        ("md0", "ok", ""),
        ("md1", "bad", "md1 runs without 1 of 4 disks (sdb2 failed)"),
        ("md2", "warn", "md2 runs without 1 of 2 disks and is being repaired"),
        ("md3", "ok", ""),
        ("md4", "bad", "md4 does not run"),
        ("md5", "ok", ""),
        ("md6", "warn", "md6: sdj1 failed"),
        ("md7", "ok", ""),
        ("md8", "bad", "md8 runs without 2 of 6 disks (sdn1, sdm1 failed)"),
        ("md126", "ok", ""),
    ],
)
def test_how_an_array_stands(tmp_path: Path, name: str, state: str, detail: str) -> None:
    alone = found(tmp_path, only(name))
    assert (alone.state, alone.detail) == (state, detail)


def test_what_holds_the_drives_of_a_vendors_raid_together_never_runs_and_is_no_array(tmp_path: Path) -> None:
    alone = found(tmp_path, only("md127"))
    assert (alone.samples, alone.state) == ({}, "ok")


def test_each_array_is_counted() -> None:
    samples = Check(Options(), RECORDED).measure(0.0).samples
    missing = {name: value for name, value in samples.items() if "missing" in name and value}
    assert missing == {
        'raid_disks_missing{array="md1"}': 1,
        'raid_disks_missing{array="md2"}': 1,
        'raid_disks_missing{array="md8"}': 2,
    }
    failed = {name: value for name, value in samples.items() if "failed" in name and value}
    assert failed == {
        'raid_disks_failed{array="md1"}': 1,
        'raid_disks_failed{array="md6"}': 1,
        'raid_disks_failed{array="md8"}': 2,
    }
    assert samples['raid_disks{array="md3"}'] == 4


def test_how_far_work_has_come_shows_only_while_it_goes_on() -> None:
    samples = Check(Options(), RECORDED).measure(0.0).samples
    assert {name: value for name, value in samples.items() if "sync" in name} == {
        'raid_sync_pct{array="md2"}': 8.5,
        'raid_sync_pct{array="md3"}': 57.9,
    }


def test_an_array_that_cannot_do_without_a_disk_has_none_to_count() -> None:
    samples = Check(Options(), RECORDED).measure(0.0).samples
    assert [name for name in samples if "md5" in name] == ['raid_disks_failed{array="md5"}']


def test_the_worst_array_says_how_the_check_stands_and_all_that_is_wrong_is_said() -> None:
    whole = Check(Options(), RECORDED).measure(0.0)
    assert whole.state == "bad"
    wrong = [fault for array in arrays(RECORDED.read_text()) if (fault := judged(array)[1])]
    assert whole.detail == "; ".join(wrong)
    assert len(wrong) == 5


def test_the_words_do_not_change_while_an_array_is_repaired(tmp_path: Path) -> None:
    before, after = only("md2"), only("md2").replace("8.5%", "63.1%")
    assert found(tmp_path, before).detail == found(tmp_path, after).detail


@pytest.mark.parametrize("text", ["", "Personalities : \nunused devices: <none>\n"])
def test_a_host_without_arrays_has_nothing_to_tell(tmp_path: Path, text: str) -> None:
    nothing = found(tmp_path, text)
    assert (nothing.samples, nothing.state, nothing.detail) == ({}, "ok", "")


def test_a_kernel_without_software_raid_is_fine(tmp_path: Path) -> None:
    nothing = Check(Options(), tmp_path / "mdstat").measure(0.0)
    assert (nothing.samples, nothing.state, nothing.detail) == ({}, "ok", "")


def test_on_this_host_it_sees_no_array_that_the_kernel_does_not_have() -> None:
    names = {name.split('"')[1] for name in Check(Options()).measure(0.0).samples}
    there = {path.name for path in Path("/sys/block").glob("md*") if (path / "md").exists()}
    assert names <= there
