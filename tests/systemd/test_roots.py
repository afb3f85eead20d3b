"""The trees of machines: quickly made, each for itself, and gone without a trace however a test ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Needs
from tests.system.netns import is_possible
from tests.system.programs import ROOT
from tests.systemd.machine import CACHE
from tests.systemd.roots import Root, remove_leftovers

MAKE = """
import os, sys
from pathlib import Path
from tests.systemd.roots import Root
folder = Path(sys.argv[1]) / f"wk-{os.getpid()}-test"
root = Root(folder)
root.make(Path(sys.argv[2]))
(root.path / "name").write_text("another")
print(folder, "mounted" if root.is_mounted else "copied", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "base"
    base.mkdir()
    (base / "name").write_text("as it was")
    return base


@pytest.fixture
def place(needs: Needs) -> Path:
    """Where machines are made: the tests' own folder may be on a disk of another kind."""
    needs.that(is_possible(), "needs root, and a kernel that lets it mount")
    CACHE.mkdir(exist_ok=True)
    return CACHE


@contextmanager
def made_by_another(place: Path, base: Path, *before: str) -> Iterator[tuple[Path, str]]:
    """The folder of a tree that another process has made, and how; it is killed at the end."""
    command = [*before, sys.executable, "-c", MAKE, place, base]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            folder, how = other.stdout.readline().split()
            yield Path(folder), how
        finally:
            other.kill()


def test_what_a_machine_writes_is_in_its_own_tree_alone_and_goes_with_it(place: Path, base: Path) -> None:
    one, other = Root(base.parent / "one"), Root(base.parent / "other")
    try:
        one.make(base)
        other.make(base)
        (one.path / "name").write_text("one")
        assert [(tree / "name").read_text() for tree in (one.path, other.path, base)] == [
            "one",
            "as it was",
            "as it was",
        ]
    finally:
        one.end()
        other.end()
    assert sorted(base.parent.iterdir()) == [base]
    assert str(base.parent) not in Path("/proc/self/mountinfo").read_text()


def test_of_a_killed_run_no_mount_is_left_and_the_next_removes_its_folder(place: Path, base: Path) -> None:
    with made_by_another(place, base) as (folder, _how):
        assert str(folder) not in Path("/proc/self/mountinfo").read_text(), "nobody else sees its mounts"
        remove_leftovers(place)
        assert folder.exists(), "it is at work"
    assert folder.exists()
    remove_leftovers(place)
    assert not folder.exists()


def test_where_nothing_can_be_mounted_the_tree_is_copied(place: Path, base: Path) -> None:
    with made_by_another(place, base, "setpriv", "--bounding-set=-sys_admin") as (folder, how):
        assert how == "copied"
        assert (folder / "root" / "name").read_text() == "another"
        assert (base / "name").read_text() == "as it was"
    remove_leftovers(place)
