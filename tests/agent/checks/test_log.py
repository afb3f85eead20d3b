from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.checks import Measured
from agent.checks.log import LINE_BYTES_MAX, Check, Options
from tests.agent.checks.apart import as_nobody
from tests.conftest import Needs

LINES, SKIPPED = 'log_lines{check="app"}', 'log_skipped_bytes{check="app"}'
ERRORS, SLOW = 'log_matches{check="app",pattern="errors"}', 'log_matches{check="app",pattern="slow"}'
ERRORS_10M, SLOW_10M = ERRORS.replace("matches", "matches_10m"), SLOW.replace("matches", "matches_10m")
PATTERNS = {"errors": "ERROR|FATAL", "slow": r"took \d{4,} ms"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def following(path: Path, **more: Any) -> Check:
    return Check(Options(**{"id": "app", "path": str(path), "patterns": PATTERNS} | more))


def began(path: Path, **more: Any) -> Check:
    """A check that has had its first look at an empty log."""
    path.touch()
    check = following(path, **more)
    assert check.measure(0.0) == Measured({})
    return check


def write(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def counted(check: Check) -> tuple[float | None, ...]:
    samples = check.measure(1.0).samples
    return samples[LINES], samples[ERRORS], samples[SLOW]


def test_what_was_there_before_is_not_new(path: Path) -> None:
    write(path, "ERROR before\n" * 10)
    check = began(path)
    assert check.measure(1.0) == Measured(
        {LINES: 0, SKIPPED: 0, ERRORS: 0, ERRORS_10M: 0, SLOW: 0, SLOW_10M: 0}
    )


def test_new_lines_are_counted_per_pattern_once(path: Path) -> None:
    check = began(path)
    write(path, "ok\nERROR one\nFATAL and ERROR\ntook 12 ms\nERROR took 1234 ms\n")
    assert counted(check) == (5, 3, 1)
    assert counted(check) == (0, 0, 0)
    write(path, "ERROR two\r\n")
    assert counted(check) == (1, 1, 0)


def test_what_fits_is_to_be_seen_for_ten_minutes(path: Path) -> None:
    check = began(path)
    recent = []
    for at_s, text in (
        (10.0, "ERROR one\n"),
        (20.0, "ERROR two\nERROR three\n"),
        (609.0, ""),
        (610.0, ""),
        (620.0, ""),
    ):
        write(path, text)
        recent.append(check.measure(at_s).samples[ERRORS_10M])
    assert recent == [1, 3, 3, 2, 0]


def test_grep_counts_the_same(path: Path) -> None:
    check = began(path)
    write(
        path,
        "".join(f"{number} {'ERROR' if number % 7 == 0 else 'took'} {number} ms\n" for number in range(5000)),
    )
    grep = subprocess.run(["grep", "-cE", "ERROR|FATAL", path], capture_output=True, text=True, check=True)
    slow = subprocess.run(
        ["grep", "-cE", "took [0-9]{4,} ms", path], capture_output=True, text=True, check=True
    )
    assert counted(check) == (5000, int(grep.stdout), int(slow.stdout))


def test_a_line_counts_when_it_is_whole(path: Path) -> None:
    check = began(path)
    write(path, "an ERR")
    assert counted(check) == (0, 0, 0)
    write(path, "OR\nnext ERROR")
    assert counted(check) == (1, 1, 0)


def test_of_an_endless_line_only_the_beginning_is_searched(path: Path) -> None:
    check = began(path)
    for _ in range(100):
        write(path, b"x" * 10_000)
        assert counted(check) == (0, 0, 0)
    write(path, "ERROR\n" + "y" * LINE_BYTES_MAX + "ERROR\nERROR\n")
    assert counted(check) == (3, 1, 0)


def test_what_is_no_text_is_searched_all_the_same(path: Path) -> None:
    check = began(path)
    write(path, b"\xff\xfe ERROR \x00\x01\n")
    assert counted(check) == (1, 1, 0)


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_a_rotated_log_is_read_to_its_end_and_then_the_new_one(path: Path) -> None:
    check = began(path)
    write(path, "ERROR old\n")
    path.rename(path.with_suffix(".1"))
    assert counted(check) == (1, 1, 0), "there is no new one yet"
    write(path.with_suffix(".1"), "ERROR late\n")
    path.touch()
    assert counted(check) == (1, 1, 0), "nobody writes to the new one yet"
    write(path.with_suffix(".1"), "ERROR later, without an end")
    write(path, "new\nERROR new\n")
    assert counted(check) == (3, 2, 0)
    write(path, "ERROR newer\n")
    assert counted(check) == (1, 1, 0)


def test_a_log_that_was_cut_is_read_from_its_beginning(path: Path) -> None:
    check = began(path)
    write(path, "ERROR a long line before\nhalf a line")
    assert counted(check) == (1, 1, 0)
    os.truncate(path, 0)
    write(path, "ERROR\n")
    assert counted(check) == (1, 1, 0)


def test_logrotate_loses_nothing(path: Path, needs: Needs) -> None:
    config = path.with_suffix(".conf")
    for how in ("create", "copytruncate", "nocreate"):
        check = began(path)
        config.write_text(f'"{path}" {{\n rotate 2\n su root root\n {how}\n}}\n')
        total = 0
        for number in range(3):
            write(path, f"ERROR {number}\n")
            total += int(counted(check)[1] or 0)
            rotate(path.parent, config, needs)
            total += int(counted(check)[1] or 0)
        assert total == 3, how


def rotate(folder: Path, config: Path, needs: Needs) -> None:
    command = [needs("logrotate"), "--force", "--state", str(folder / "state"), str(config)]
    subprocess.run(command, check=True)


def test_a_log_that_comes_later_is_read_from_its_beginning(path: Path) -> None:
    check = following(path)
    with pytest.raises(FileNotFoundError):
        check.measure(0.0)
    write(path, "ERROR first\n")
    assert counted(check) == (1, 1, 0)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_of_too_much_the_newest_part_is_searched_and_that_is_said(path: Path) -> None:
    check = began(path, read_bytes_max=10_000)
    write(path, "ERROR\n" * 100_000)
    found = check.measure(1.0)
    assert found.state == "warn"
    assert found.detail == "more came than is searched in one tick; a part was not searched"
    lines = found.samples[LINES] or 0
    assert 1600 < lines <= 10_000 / 6
    assert found.samples[ERRORS] == lines
    assert found.samples[SKIPPED] == 600_000 - lines * 6
    write(path, "ERROR\n")
    found = check.measure(2.0)
    assert (found.state, found.samples[ERRORS], found.samples[SKIPPED]) == ("ok", 1, 0)


def test_of_too_much_in_two_files_the_newer_one_is_searched_first(path: Path) -> None:
    check = began(path, read_bytes_max=6_000)
    write(path, "ERROR\n" * 1_000)
    path.rename(path.with_suffix(".1"))
    write(path, "took 5000 ms\n" * 300)
    found = check.measure(1.0)
    assert found.samples[SLOW] == 300
    assert 300 < (found.samples[ERRORS] or 0) <= 350
    assert found.state == "warn"


def test_searching_ends_with_the_time_limit(path: Path) -> None:
    check = began(path, timeout_s=0.05, read_bytes_max=16 * 1024 * 1024, patterns={"worst": "(a|b)*c$"})
    write(path, ("abc" * 1_000 + "a\n") * 4_000)
    started = time.monotonic()
    found = check.measure(1.0)
    assert time.monotonic() - started < 1.0
    assert found.state == "warn"
    assert 0 < (found.samples[LINES] or 0) < 4_000
    assert (found.samples[SKIPPED] or 0) + (found.samples[LINES] or 0) * 3_002 == 4_000 * 3_002


# --- what is no log ---------------------------------------------------------------------------------------------------


def test_what_is_no_file_is_said_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"app.log is no file that could be followed"):
        following(path).measure(0.0)


def test_a_log_that_may_not_be_read_says_so() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "app.log"
        path.touch(mode=0)
        with pytest.raises(PermissionError) as refused:
            as_nobody(lambda: following(path).measure(0.0))
        assert refused.value.filename == str(path)


def test_nothing_is_left_open(path: Path) -> None:
    def look() -> None:
        check = began(path)
        path.rename(path.with_suffix(".1"))
        write(path, "ERROR\n")
        assert counted(check) == (1, 1, 0)

    before = open_files()
    for _ in range(3):
        look()
    assert open_files() == before


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"path": "app.log"}, "\\^/"),
        ({"patterns": {}}, "length >= 1"),
        ({"patterns": {"bad": "(a"}}, r"patterns\.bad: a \( is not closed"),
        ({"patterns": {"back": r"(a)\1"}}, r"patterns\.back: \\1 is not known"),
        ({"read_bytes_max": 10}, ">= 4096"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert({"path": "/var/log/app.log", "patterns": {"errors": "ERROR"}} | options, Options)
