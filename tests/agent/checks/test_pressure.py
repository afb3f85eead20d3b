from __future__ import annotations

from pathlib import Path

import pytest

from agent.checks.pressure import FOLDER, Check, Options

RECORDED = {
    "cpu": "some avg10=12.50 avg60=3.10 avg300=1.00 total=3456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "memory": "some avg10=1.25 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.75 avg60=0.00 avg300=0.00 total=7\n",
    "io": "some avg10=40.00 avg60=9.00 avg300=2.00 total=99\nfull avg10=35.10 avg60=7.00 avg300=2.00 total=90\n",
}


def test_it_tells_the_averages_over_ten_seconds(tmp_path: Path) -> None:
    for name, text in RECORDED.items():
        (tmp_path / name).write_text(text)
    assert Check(Options(), tmp_path).measure(0.0).samples == {
        "pressure_cpu_some_pct": 12.5,
        "pressure_memory_some_pct": 1.25,
        "pressure_memory_full_pct": 0.75,
        "pressure_io_some_pct": 40.0,
        "pressure_io_full_pct": 35.1,
    }


def test_it_reads_this_kernel_or_says_that_it_does_not_tell() -> None:
    found = Check(Options()).measure(0.0)
    try:
        told = float((FOLDER / "memory").read_text().split()[1].removeprefix("avg10="))
    except OSError:
        assert found.detail.startswith("this kernel does not tell its pressure")
    else:
        assert found.samples["pressure_memory_some_pct"] == pytest.approx(told, abs=25)


def test_a_kernel_without_it_is_fine_and_not_a_failure(tmp_path: Path) -> None:
    found = Check(Options(), tmp_path / "pressure").measure(0.0)
    assert found.samples == {}
    assert found.state == "ok"
    assert found.detail == "this kernel does not tell its pressure (No such file or directory)"
