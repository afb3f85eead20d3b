from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.checks import Measured, load
from agent.checks.file import Check, Options
from agent.sampler import Question, Sampler, Tick
from tests.agent.checks import dead_mount
from tests.agent.checks.apart import as_nobody
from tests.conftest import Needs

EXISTS, COUNT, AGE, SIZE = (
    f'file_{what}{{check="backup"}}' for what in ("exists", "count", "age_s", "size_bytes")
)
HOUR_S = 3600.0

Write = Callable[..., Path]


def asked(path: Path | str, **more: Any) -> Measured:
    return Check(Options(**{"id": "backup", "path": str(path)} | more)).measure(0.0)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A file of so many bytes, written so long ago."""

    def make(name: str, size: int = 100, age_s: float = 60.0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        os.utime(path, (time.time() - age_s,) * 2)
        return path

    return make


def test_a_file_is_as_old_and_as_large_as_stat_says(write: Write) -> None:
    path = write("dump.sql", 12_345, 2 * HOUR_S)
    told = subprocess.run(["stat", "-c", "%s %Y", path], capture_output=True, text=True, check=True)
    size, written_s = map(int, told.stdout.split())
    found = asked(path)
    assert (found.state, found.detail, found.samples[EXISTS]) == ("ok", "", 1)
    assert found.samples[SIZE] == size == 12_345
    assert found.samples[AGE] == pytest.approx(time.time() - written_s, abs=2)
    assert COUNT not in found.samples


def test_a_missing_file_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "no" / "dump.sql"
    assert asked(path) == Measured({EXISTS: 0}, "bad", f"there is no {path}")


def test_a_file_that_must_not_be_there(write: Write, tmp_path: Path) -> None:
    found = asked(tmp_path / "lock", exists=False)
    assert (found.state, found.detail, found.samples) == ("ok", "", {EXISTS: 0})
    lock = write("lock")
    found = asked(lock, exists=False)
    assert (found.state, found.detail) == ("bad", f"there is {lock}")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"age_s_max": 2 * HOUR_S}, ""),
        ({"age_s_max": 0.5 * HOUR_S}, "older than 30m"),
        ({"size_bytes_min": 100, "size_bytes_max": 100}, ""),
        ({"size_bytes_min": 1024}, "smaller than 1KiB"),
        ({"size_bytes_max": 99}, "larger than 99B"),
        ({"age_s_max": 60.0, "size_bytes_min": 101}, "older than 1m and smaller than 101B"),
    ],
)
def test_what_is_wrong_is_said_in_words_that_stay_the_same(
    write: Write, options: dict[str, Any], fault: str
) -> None:
    path = write("dump.sql", 100, HOUR_S)
    found = asked(path, **options)
    assert (found.state, found.detail) == ("bad" if fault else "ok", f"{path} is {fault}" if fault else "")
    assert found.samples[SIZE] == 100


def test_of_a_pattern_the_newest_file_counts(write: Write, tmp_path: Path) -> None:
    write("dump-1.gz", 300, 49 * HOUR_S)
    write("dump-3.gz", 310, 1 * HOUR_S)
    write("dump-2.gz", 305, 25 * HOUR_S)
    write("other", 1, 0)
    write(".dump-4.gz", 1, 0)
    (tmp_path / "dump-5.gz").mkdir()
    (tmp_path / "dump-6.gz").symlink_to("/no/where")
    found = asked(f"{tmp_path}/dump-*.gz", age_s_max=26 * HOUR_S)
    assert (found.state, found.detail) == ("ok", "")
    assert (found.samples[COUNT], found.samples[SIZE]) == (3, 310)
    assert found.samples[AGE] == pytest.approx(HOUR_S, abs=5)


def test_nothing_that_fits_a_pattern_is_bad(tmp_path: Path) -> None:
    assert asked(f"{tmp_path}/*.gz") == Measured(
        {EXISTS: 0, COUNT: 0}, "bad", f"no file fits {tmp_path}/*.gz"
    )
    assert asked(f"{tmp_path}/no/*.gz").detail == f"no file fits {tmp_path}/no/*.gz"


def test_folders_may_fit_a_pattern_too(write: Write, tmp_path: Path) -> None:
    write("2026-01/db/full.gz", 10, 90 * HOUR_S)
    newest = write("2026-02/db/full.gz", 20, HOUR_S)
    write("2026-02/web/full.gz", 30, 0)
    (tmp_path / "2026-03").write_text("no folder")
    found = asked(f"{tmp_path}/2026-0[1-3]/db/*.gz")
    assert (found.samples[COUNT], found.samples[SIZE]) == (2, 20)
    found = asked(f"{tmp_path}/*/db/full.gz", exists=False)
    assert found.detail == f"there is {newest}"


def test_a_backup_much_smaller_than_the_one_before_is_bad(write: Write, tmp_path: Path) -> None:
    write("dump-1.gz", 1000, 50 * HOUR_S)
    before = write("dump-2.gz", 400, 26 * HOUR_S)
    newest = write("dump-3.gz", 200, 2 * HOUR_S)
    pattern = f"{tmp_path}/dump-*"
    assert asked(pattern, shrink_pct_max=50).state == "ok"
    newest.write_bytes(bytes(199))
    found = asked(pattern, shrink_pct_max=50)
    assert found.state == "bad"
    assert found.detail == f"{newest} is more than 50 % smaller than {before} before it"
    before.unlink()
    (tmp_path / "dump-1.gz").unlink()
    assert asked(pattern, shrink_pct_max=50).state == "ok", "the first of all has none before it"


def test_what_may_not_be_looked_at_is_no_answer_rather_than_missing(write: Write) -> None:
    folder = write("closed/dump.sql").parent
    folder.chmod(0o000)
    for path in (folder / "dump.sql", folder / "*.sql", folder / "none.sql"):
        with pytest.raises(PermissionError, match="Permission denied"):
            as_nobody(partial(asked, path))
    folder.chmod(0o700)


def test_more_files_than_can_be_looked_through_is_no_answer(write: Write, tmp_path: Path) -> None:
    for number in range(50):
        write(f"dump-{number}")
    with pytest.raises(OSError, match=r"holds more than can be looked through in 1e-06 s"):
        asked(f"{tmp_path}/*", timeout_s=1e-6)


def test_a_disk_that_never_answers_hides_no_other_check(tmp_path: Path, needs: Needs) -> None:
    needs.that(dead_mount.can_be_made(), "needs root and /dev/fuse, for a disk that never answers")
    check = Check(Options(id="backup", path=f"{tmp_path}/dump.sql"))

    def hang() -> tuple[Tick, Tick, float]:
        with dead_mount.dead_mount(tmp_path):
            sampler = Sampler(
                [
                    Question("backup", "file", 0.1, check),
                    Question("load", "load", 5.0, load.Check(load.Options())),
                ]
            )
            began = time.monotonic()
            first, second = sampler.sample(), sampler.sample()
            sampler.close()
            return first, second, time.monotonic() - began

    first, second, spent_s = dead_mount.where_mounts_are_ours(hang)
    assert spent_s < 2.0
    for tick in (first, second):
        assert tick.samples["load1"] is not None
        assert tick.samples['check_state{check="backup",kind="file"}'] is None
        assert "still waiting" in tick.checks[0].detail


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"path": "backup/*.gz"}, "\\^/"),
        ({"path": "/a", "shrink_pct_max": 50}, "one file alone is compared with no other"),
        ({"path": "/a", "size_bytes_min": 2, "size_bytes_max": 1}, "no file could be right"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(options, Options)
