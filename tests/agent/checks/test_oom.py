from __future__ import annotations

from pathlib import Path

import pytest

from agent.checks.oom import VMSTAT, Check, Options


def test_it_agrees_with_proc_vmstat() -> None:
    (told,) = [line.split()[1] for line in VMSTAT.read_text().splitlines() if line.startswith("oom_kill ")]
    assert Check(Options()).measure(0.0).samples == {"oom_kills": int(told), "oom_kills_10m": 0}


def test_what_was_killed_since_the_last_look_shows(tmp_path: Path) -> None:
    vmstat = tmp_path / "vmstat"
    check = Check(Options(), vmstat)
    seen = []
    for at_s, kills in ((0.0, 3), (10.0, 3), (20.0, 8), (619.0, 8), (620.0, 8)):
        vmstat.write_text(f"nr_free_pages 811411\ndrop_slab 0\noom_kill {kills}\nnuma_pte_updates 0\n")
        seen.append(check.measure(at_s).samples)
    assert seen == [
        {"oom_kills": 3, "oom_kills_10m": 0},
        {"oom_kills": 3, "oom_kills_10m": 0, "oom_kills_per_s": 0},
        {"oom_kills": 8, "oom_kills_10m": 5, "oom_kills_per_s": pytest.approx(0.5)},
        {"oom_kills": 8, "oom_kills_10m": 5, "oom_kills_per_s": 0},
        {"oom_kills": 8, "oom_kills_10m": 0, "oom_kills_per_s": 0},
    ]


def test_a_kernel_that_does_not_count_them_is_fine(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("nr_free_pages 811411\n")
    found = Check(Options(), tmp_path / "vmstat").measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail == "this kernel does not count what it kills for want of memory"
