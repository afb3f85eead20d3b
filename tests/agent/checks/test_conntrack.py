from __future__ import annotations

from pathlib import Path

import pytest

from agent.checks.conntrack import FOLDER, Check, Options


def test_it_agrees_with_the_kernel_or_says_that_there_is_nothing_to_tell() -> None:
    found = Check(Options()).measure(0.0)
    assert found.state == "ok"
    try:
        maximum = int((FOLDER / "nf_conntrack_max").read_text())
        count = int((FOLDER / "nf_conntrack_count").read_text())
    except FileNotFoundError:
        assert found.samples == {}
    else:
        assert found.samples["conntrack_entries_max"] == maximum
        assert found.samples["conntrack_entries"] == pytest.approx(count, abs=100)


def test_a_table_that_fills_up_shows_it(tmp_path: Path) -> None:
    (tmp_path / "nf_conntrack_count").write_text("249037\n")
    (tmp_path / "nf_conntrack_max").write_text("262144\n")
    assert Check(Options(), tmp_path).measure(0.0).samples == {
        "conntrack_entries": 249_037,
        "conntrack_entries_max": 262_144,
        "conntrack_used_pct": pytest.approx(95.0, abs=0.001),
    }


def test_no_limit_is_not_used_up(tmp_path: Path) -> None:
    (tmp_path / "nf_conntrack_count").write_text("17\n")
    (tmp_path / "nf_conntrack_max").write_text("0\n")
    assert "conntrack_used_pct" not in Check(Options(), tmp_path).measure(0.0).samples


def test_a_host_without_a_firewall_is_fine(tmp_path: Path) -> None:
    found = Check(Options(), tmp_path / "netfilter").measure(0.0)
    assert (found.samples, found.state, found.detail) == ({}, "ok", "this host does not track connections")
