"""A load out of a CSV file: what is taken, and what is refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.cli.curves import read_curve


def file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "load.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            ["time,load", "2026-11-20T08:00:00Z,1.5", "2026-11-20T08:01:00Z,2", "2026-11-20T08:02:00Z,0"],
            "names",
        ),
        (["2026-11-20T08:00:00+00:00,1.5", "2026-11-20T08:01:00,2", "", "2026-11-20 08:02:00,0"], "bare"),
        (["1795161600,1.5", "1795161660,2", "1795161720,0"], "seconds"),
        (["1795161600000,1.5", "1795161660000,2", "1795161720000,0"], "milliseconds"),
    ],
)
def test_times_may_be_written_in_any_usual_way(tmp_path: Path, lines: list[str], sentence: str) -> None:
    found = read_curve(file(tmp_path, *lines))
    assert found.at.tolist() == [1_795_161_600_000, 1_795_161_660_000, 1_795_161_720_000], sentence
    assert found.load.tolist() == [1.5, 2, 0]
    assert found.step_ms == 60_000


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["time,load"], "has 0 rows"),
        (["1,2"], "has 1 rows"),
        (["yesterday,2", "today,3"], r"load.csv:1: 'yesterday' is no time"),
        (["60,2", "120,much"], r"load.csv:2: the second column is to be a load"),
        (["60,2", "120,-1"], r"load.csv:2: the second column"),
        (["60,2", "120,nan"], r"load.csv:2: the second column"),
        (["60,2", "120,3", "200,3"], r"load.csv:3: the times are not evenly apart"),
        (["120,2", "60,3"], r"load.csv:2: the times are not evenly apart"),
    ],
)
def test_what_cannot_be_played_is_refused_with_its_line(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_curve(file(tmp_path, *lines))


def test_a_file_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_curve(tmp_path / "nowhere.csv")
