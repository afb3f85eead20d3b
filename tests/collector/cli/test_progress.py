"""How far something has come, for a person at a terminal and for whoever reads a log."""

from __future__ import annotations

import io
import json

from collector.cli.progress import Lines, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_where_nobody_sits_nothing_is_said() -> None:
    out, clock = io.StringIO(), Clock()
    with Progress(out, clock) as progress:
        for tenth in range(251):
            clock.now_s = tenth / 10
            progress("copying", tenth / 500)
        progress("checking", None)
    assert out.getvalue() == ""


def test_a_program_that_asks_gets_a_line_for_each_thing_and_twice_a_second() -> None:
    out, clock = io.StringIO(), Clock()
    with Lines(out, clock) as progress:
        for tenth in range(11):
            clock.now_s = tenth / 10
            progress("copying", tenth / 20)
        progress("checking", None)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"what": "copying", "share": 0.0},
        {"what": "copying", "share": 0.25},
        {"what": "copying", "share": 0.5},
        {"what": "checking", "share": None},
    ]


def test_a_terminal_gets_a_bar_that_moves_and_goes() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(out, clock)
    progress("copying", 0.0)
    clock.now_s = 75.0
    progress("copying", 0.5)
    last = out.getvalue().rpartition("\r")[2]
    assert "copying     [###############...............]  50%  1:15" in last
    progress.end()
    assert out.getvalue().endswith("\r\x1b[2K")


def test_a_terminal_is_not_flooded() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(out, clock)
    for thousandth in range(1_000):
        clock.now_s = thousandth / 1_000
        progress("copying", thousandth / 1_000)
    assert out.getvalue().count("\r") <= 11


def test_nothing_was_done_and_nothing_is_said() -> None:
    out = Terminal()
    with Progress(out):
        pass
    assert out.getvalue() == ""
