from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.checks._apt import Apt
from agent.checks.updates import Check, Options

FOCAL = """

12 updates can be installed immediately.
4 of these updates are security updates.
To see these additional updates run: apt list --upgradable

"""
JAMMY = """
Expanded Security Maintenance for Applications is not enabled.

37 updates can be applied immediately.
1 of these updates is a standard security update.
To see these additional updates run: apt list --upgradable

5 additional security updates can be applied with ESM Apps.
Learn more about enabling ESM Apps service at https://ubuntu.com/esm

"""


@pytest.mark.parametrize(
    ("text", "pending", "security"),
    [
        pytest.param("\n5 packages can be updated.\n2 updates are security updates.\n\n", 5, 2, id="18.04"),
        pytest.param(FOCAL, 12, 4, id="20.04"),
        pytest.param(JAMMY, 37, 1, id="22.04"),
        pytest.param("\n1 update can be applied immediately.\n", 1, 0, id="one"),
        pytest.param("\n0 updates can be applied immediately.\n", 0, 0, id="none"),
    ],
)
def test_the_counts_that_ubuntu_left(tmp_path: Path, text: str, pending: int, security: int) -> None:
    counted = tmp_path / "updates-available"
    counted.write_text(text)
    os.utime(counted, (1_000_000, 1_000_000))
    found = Check(Options(), counted, wall_s=lambda: 1_003_600.0).measure(0.0)
    assert found.samples == {
        "updates_pending": pending,
        "updates_security_pending": security,
        "updates_counted_ago_s": 3_600,
    }
    assert (found.state, found.detail) == ("ok", "")


@pytest.mark.parametrize("text", ["", "\n37 Aktualisierungen k\u00f6nnen sofort angewendet werden.\n"])
def test_words_that_are_not_known_are_not_taken_for_no_updates(tmp_path: Path, text: str) -> None:
    (tmp_path / "updates-available").write_text(text)
    found = Check(Options(), tmp_path / "updates-available").measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail.endswith("is not in the words that are known")


def test_a_system_that_does_not_count_is_fine(tmp_path: Path) -> None:
    no_apt = Apt(3_600.0, tmp_path / "apt-get")
    found = Check(Options(), tmp_path / "updates-available", no_apt).measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail == "this system does not count the updates that wait to be installed"
