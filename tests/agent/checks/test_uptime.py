from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.checks.uptime import WRITERS, Check, Options


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host that has been up for a day."""
    for folder in ("proc", "run"):
        (tmp_path / folder).mkdir()
    (tmp_path / "proc/uptime").write_text("86400.25 170000.00\n")
    return tmp_path


def test_it_agrees_with_when_the_kernel_says_it_was_started() -> None:
    samples = Check(Options()).measure(0.0).samples
    (booted_s,) = [line.split()[1] for line in Path("/proc/stat").read_text().splitlines() if "btime" in line]
    assert samples["uptime_s"] == pytest.approx(time.time() - int(booted_s), abs=3)


def test_nobody_knows_whether_a_restart_is_needed_where_nothing_would_say_so(root: Path) -> None:
    found = Check(Options(), root).measure(0.0)
    assert (found.samples, found.state, found.detail) == ({"uptime_s": 86_400.25}, "ok", "")


@pytest.mark.parametrize("writer", WRITERS)
def test_no_restart_is_needed_where_that_would_be_said(root: Path, writer: str) -> None:
    (root / writer).parent.mkdir(parents=True)
    (root / writer).touch()
    assert Check(Options(), root).measure(0.0).samples["reboot_required"] == 0


@pytest.mark.parametrize(
    ("packages", "detail"),
    [
        (None, "waits for a restart"),
        ("", "waits for a restart"),
        (
            "libc6\nlinux-image-6.1.0-40-amd64\nlibc6\n",
            "waits for a restart after an update of libc6, linux-image-6.1.0-40-amd64",
        ),
        ("g\nf\ne\nd\nc\nb\na\n", "waits for a restart after an update of a, b, c, d, e and 2 more"),
    ],
)
def test_a_restart_that_is_needed_says_why(root: Path, packages: str | None, detail: str) -> None:
    (root / "run/reboot-required").write_text("*** System restart required ***\n")
    if packages is not None:
        (root / "run/reboot-required.pkgs").write_text(packages)
    found = Check(Options(), root).measure(0.0)
    assert found.samples["reboot_required"] == 1
    assert (found.state, found.detail) == ("ok", detail)
