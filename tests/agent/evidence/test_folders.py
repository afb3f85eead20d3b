"""Where the room on a disk went: against du, and within the time."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from agent.evidence.folders import Walk, fullest_mount
from tests.agent.this_machine import has_a_disk
from tests.conftest import Needs

KIB = 1024


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with log/shop/2026 of 900 KiB, lib of 300 KiB in two folders, and some crumbs."""
    for name, kibibytes in (
        ("log/shop/2026/a.log", 500),
        ("log/shop/2026/b.log", 400),
        ("lib/one/x", 150),
        ("lib/two/x", 150),
        ("etc/passwd", 4),
    ):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(KIB) * kibibytes)
    return tmp_path / "root"


def du(path: Path) -> int:
    done = subprocess.run(["du", "-s", "-B1", str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def names(walk: Walk, root: Path) -> list[str]:
    return [str(Path(folder.path).relative_to(root)) for folder in walk.largest()]


def test_sizes_are_those_of_du(tree: Path) -> None:
    walk = Walk(str(tree), 10)
    assert walk.complete
    for name in ("", "log", "log/shop/2026", "lib", "lib/one"):
        # A directory's own blocks are counted by du with it, here with the one above it.
        assert walk.sizes[str(tree / name) if name else str(tree)] == pytest.approx(
            du(tree / name), abs=8 * KIB
        )


def test_what_says_the_most_is_named_and_not_all_that_lies_above_it(tree: Path) -> None:
    walk = Walk(str(tree), 10)
    assert names(walk, tree)[:4] == ["log/shop/2026", "lib", "lib/two", "lib/one"]


def test_a_file_with_two_names_is_counted_once(tree: Path) -> None:
    before = Walk(str(tree), 10).sizes[str(tree)]
    os.link(tree / "log/shop/2026/a.log", tree / "lib/again")
    assert Walk(str(tree), 10).sizes[str(tree)] == pytest.approx(before, abs=8 * KIB)


def test_a_link_is_not_followed(tree: Path) -> None:
    before = Walk(str(tree), 10).sizes[str(tree)]
    (tree / "lib/loop").symlink_to(tree)
    (tree / "lib/far").symlink_to("/usr")
    assert Walk(str(tree), 10).sizes[str(tree)] == pytest.approx(before, abs=8 * KIB)


def test_a_sparse_file_takes_what_it_takes(tree: Path) -> None:
    with (tree / "etc/sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert Walk(str(tree), 10).sizes[str(tree / "etc")] < 100 * KIB


def test_what_lies_deep_counts_for_what_is_above_it(tree: Path) -> None:
    deep = tree / "/".join("abcdefghij")
    deep.mkdir(parents=True)
    (deep / "x").write_bytes(os.urandom(KIB) * 800)
    walk = Walk(str(tree), 10)
    assert names(walk, tree)[1] == "a/b/c/d/e"
    assert str(deep) not in walk.sizes


def test_of_very_many_directories_the_large_ones_are_remembered(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.evidence.folders.NAMED_MAX", 20)
    for number in range(40):
        (tree / "etc" / f"d{number}").mkdir()
    walk = Walk(str(tree), 10)
    assert len(walk.sizes) <= 20
    assert names(walk, tree)[:2] == ["log/shop/2026", "lib"]
    assert walk.sizes[str(tree)] == pytest.approx(du(tree), abs=8 * KIB)


def test_another_disk_is_not_looked_into() -> None:
    assert not any(path.startswith("/proc/") for path in Walk("/", 0.5).sizes)


class Slow:
    """A clock by which every look at it takes a tenth of a second."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.1
        return self.now_s


def test_when_the_time_is_up_it_says_so_and_every_part_had_its_share(tree: Path) -> None:
    for number in range(300):
        (tree / "lib" / f"d{number}").mkdir()
    walk = Walk(str(tree), 3.0, Slow())
    assert not walk.complete
    assert walk.sizes[str(tree / "log")] > 0 or walk.sizes[str(tree / "etc")] > 0
    assert str(tree) in walk.sizes


def test_directories_that_are_closed_to_us_are_counted(needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, to look as somebody else")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for name in ("open", "closed"):
            (Path(folder) / name).mkdir(0o700)
            (Path(folder) / name / "x").write_bytes(b"x" * 100 * KIB)
        (Path(folder) / "open").chmod(0o755)
        os.seteuid(65534)
        try:
            walk = Walk(folder, 10)
        finally:
            os.seteuid(0)
    assert (walk.unreadable, walk.complete) == (1, True)
    assert walk.sizes[f"{folder}/open"] >= 100 * KIB > walk.sizes[f"{folder}/closed"]


def test_the_fullest_mount_is_one_of_ours(needs: Needs) -> None:
    needs.that(has_a_disk(), "needs a disk that is mounted and can be written to")
    mounts = {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()}
    assert fullest_mount() in mounts
