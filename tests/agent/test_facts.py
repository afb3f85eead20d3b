"""What is known of the host, and that it is said again only when it has changed."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec
import pytest

from agent import facts, wire
from agent.clock import Moment
from agent.facts import Facts, os_name, resident_bytes

NOW = Moment("boot", 1_000_000, 1_790_000_000_000)


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == facts.VERSION


def test_the_facts_of_this_host_fit_the_wire() -> None:
    found = Facts().gather(NOW)
    assert found["hostname"] == os.uname().nodename
    assert int(found["cores"]) >= 1
    assert int(found["memory_bytes"]) > 2**26
    assert found["booted_at"] == "2026-09-21T13:56:40Z"
    batch = wire.Batch(0, 0, 0, 1000, {}, facts=found)
    assert msgspec.json.decode(wire.encode(batch), type=wire.Batch).facts == found


def test_a_clock_that_is_nudged_changes_no_fact_and_one_that_is_set_does() -> None:
    gathered = Facts()
    before = gathered.gather(NOW)
    assert gathered.gather(Moment("boot", 2_000_000, NOW.wall_ms + 1_000_900)) == before
    assert gathered.gather(Moment("boot", 2_000_000, NOW.wall_ms + 1_010_000)) != before


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "Debian GNU/Linux 12 (bookworm)"),
        ("PRETTY_NAME='Alpine Linux v3.20'\n", "Alpine Linux v3.20"),
        ("NAME=x\n", "Linux"),
        ("", "Linux"),
    ],
)
def test_the_system_says_what_it_is_called(
    text: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "os-release").write_text(text)
    monkeypatch.setattr(facts, "OS_RELEASE", (tmp_path / "missing", tmp_path / "os-release"))
    assert os_name() == name


def test_this_process_has_some_memory() -> None:
    assert 2**23 < resident_bytes() < 2**33
