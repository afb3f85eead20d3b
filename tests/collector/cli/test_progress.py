"""How far something has come, for a person at a terminal and for whoever reads a log."""

from __future__ import annotations

import io

from collector.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_log_gets_a_line_for_each_thing_and_another_every_ten_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    with Progress(out, clock) as progress:
        for tenth in range(251):
            clock.now_s = tenth / 10
            progress("copying", tenth / 500)
        progress("checking", None)
    assert out.getvalue() == "copying   0%\ncopying  20%\ncopying  40%\nchecking\n"


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
