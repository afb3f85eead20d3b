"""Keys and tokens in the collector's folder: whole, private, on disk, and never two of one name."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.app.folder import KEY_BYTES, key_in, write_private
from collector.store import StoreError

MAKERS = 4


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def test_a_key_is_made_once_and_is_the_same_ever_after(tmp_path: Path) -> None:
    key = key_in(tmp_path, "some.key")
    assert len(key) == KEY_BYTES
    assert key_in(tmp_path, "some.key") == key
    assert key_in(tmp_path, "other.key") != key
    assert (tmp_path / "some.key").stat().st_mode & 0o777 == 0o600


def test_programs_that_make_a_key_at_once_use_the_same(tmp_path: Path) -> None:
    make = "import pathlib, collector.app.folder as it; print(it.key_in(pathlib.Path(), 'some.key').hex())"

    def made(_: int) -> str:
        return subprocess.check_output([sys.executable, "-c", make], text=True, cwd=tmp_path)

    with ThreadPoolExecutor(MAKERS) as makers:
        assert len(set(makers.map(made, range(MAKERS)))) == 1
    assert names_in(tmp_path) == ["some.key"]


@pytest.mark.parametrize("left", [b"", b"short", bytes(KEY_BYTES)], ids=["nothing", "a part", "noughts"])
def test_what_a_power_cut_left_of_a_key_is_no_key(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "some.key").write_bytes(left)
    with pytest.raises(StoreError, match=r"some\.key is damaged; remove it, and a new one is made"):
        key_in(tmp_path, "some.key")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"some\.key cannot be kept: No such file or directory"):
        key_in(tmp_path / "nowhere", "some.key")
    with pytest.raises(StoreError, match=r"some\.token cannot be written: No such file or directory"):
        write_private(tmp_path / "nowhere" / "some.token", "t")


def test_a_private_line_takes_the_place_of_what_was_there_and_leaves_nothing_beside(tmp_path: Path) -> None:
    for text in ("first", "second"):
        write_private(tmp_path / "some.token", text)
    assert (tmp_path / "some.token").read_text() == "second\n"
    assert (tmp_path / "some.token").stat().st_mode & 0o777 == 0o600
    assert names_in(tmp_path) == ["some.token"]
