from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from agent.checks.files import FILE_NR, Check, Options


def test_it_agrees_with_the_kernel_and_sees_what_we_open() -> None:
    check = Check(Options())
    before = check.measure(0.0).samples["files_open"]
    with contextlib.ExitStack() as opened:
        for _ in range(500):
            opened.enter_context(open("/dev/null"))  # noqa: PTH123 - the fewest files for one
        samples = check.measure(1.0).samples
    assert before is not None
    # The kernel counts in steps for each processor, and others open and close files meanwhile.
    assert samples["files_open"] == pytest.approx(before + 500, abs=300)
    maximum = int(FILE_NR.read_text().split()[2])
    assert samples["files_open_max"] == maximum
    assert samples["files_used_pct"] == pytest.approx(100 * (samples["files_open"] or 0) / maximum)


def test_without_a_limit_to_speak_of_little_of_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "file-nr").write_text("12160\t0\t9223372036854775807\n")
    samples = Check(Options(), tmp_path / "file-nr").measure(0.0).samples
    assert samples == {
        "files_open": 12_160,
        "files_open_max": 9_223_372_036_854_775_807,
        "files_used_pct": pytest.approx(0),
    }


def test_a_host_that_is_nearly_out_of_files_shows_it(tmp_path: Path) -> None:
    (tmp_path / "file-nr").write_text("98304\t512\t100000\n")
    assert Check(Options(), tmp_path / "file-nr").measure(0.0).samples["files_used_pct"] == pytest.approx(
        97.792
    )
