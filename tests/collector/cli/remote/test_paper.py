"""What a command writes: colour only for eyes, nothing that moves the cursor, nothing wider than the terminal."""

from __future__ import annotations

import io

import pytest

from collector.cli.remote.paper import Paper, ago, cut, plain

HEAD = ("HOST", "STATE", "WHAT")
ROWS = [("critical-1", "critical", "is full"), ("web-1", "ok", "")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(out: io.StringIO, **environ: str) -> str:
    paper = Paper(out, environ)
    paper.table(HEAD, ROWS)
    paper.flush()
    return out.getvalue()


def test_in_a_file_there_is_text_alone() -> None:
    assert written(io.StringIO()).splitlines() == [
        "HOST        STATE     WHAT",
        "critical-1  critical  is full",
        "web-1       ok",
    ]


def test_on_a_terminal_the_state_has_a_colour_and_names_have_none() -> None:
    lines = written(Terminal(), TERM="xterm").splitlines()
    assert lines[1] == "critical-1  \x1b[1;31mcritical\x1b[0m  is full"
    assert lines[2] == "web-1       \x1b[32mok\x1b[0m"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_whoever_wants_no_colour_gets_none(environ: dict[str, str]) -> None:
    assert "\x1b" not in written(Terminal(), **environ)


def test_lines_end_where_the_terminal_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    paper = Paper(out := Terminal(), {"TERM": "dumb"})
    paper.table(("A", "B"), [("x", "long " * 20)])
    paper.flush()
    assert max(map(len, out.getvalue().splitlines())) <= 44
    assert out.getvalue().splitlines()[1].endswith("…")


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日…"),
        ("ab", 1, "…"),
        ("", 1, ""),
    ],
)
def test_a_line_is_cut_by_columns(line: str, width: int, shown: str) -> None:
    assert cut(line, width) == shown


def test_what_moves_a_cursor_or_turns_the_writing_is_replaced() -> None:
    assert plain("a\x1b[2Jb\u202ec\x9bd") == "a�[2Jb�c�d"
    assert plain("96\N{NO-BREAK SPACE}%\tof\nit") == "96 % of it"


def test_what_never_was_is_no_time_ago() -> None:
    assert (ago(None, 5), ago(0, 3_000)) == ("never", "3 s ago")
