"""A terminal of glass: a program runs in a real pty, keys are pressed, and what the screen shows is read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence

from tests.system.programs import ROOT, environ

PATIENCE_S = 30.0
TOKEN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b([()][A-Z0-9]|[=>78M])|([\x00-\x1f])|([^\x00-\x1f\x1b]+)")


class Screen:
    """As much of a VT100 as curses asks of one: texts, the cursor, erasing, scrolling."""

    def __init__(self, lines: int, columns: int) -> None:
        self.resize(lines, columns)
        self._rest = ""

    def resize(self, lines: int, columns: int) -> None:
        self.cells = [[" "] * columns for _ in range(lines)]
        self.row = self.column = 0
        self.region = 0, lines - 1

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, text: str) -> None:
        text, place = self._rest + text, 0
        while match := TOKEN.match(text, place):
            place = match.end()
            numbers, letter, plain, control, shown = match.groups()
            if shown:
                self._write(shown)
            elif control:
                self._control(control)
            elif plain == "M":
                self._up()
            elif letter:
                self._command(letter, [int(part or 0) for part in numbers.lstrip("?").split(";")])
        self._rest = text[place:]

    def _write(self, text: str) -> None:
        for letter in text:
            if self.row < len(self.cells) and self.column < len(self.cells[0]):
                self.cells[self.row][self.column] = letter
            self.column += 1

    def _control(self, letter: str) -> None:
        match letter:
            case "\r":
                self.column = 0
            case "\b":
                self.column = max(0, self.column - 1)
            case "\t":
                self.column = (self.column // 8 + 1) * 8
            case "\n" if self.row == self.region[1]:
                self.cells.insert(self.region[1] + 1, [" "] * len(self.cells[0]))
                del self.cells[self.region[0]]
            case "\n":
                self.row += 1

    def _up(self) -> None:
        if self.row != self.region[0]:
            self.row -= 1
            return
        self.cells.insert(self.region[0], [" "] * len(self.cells[0]))
        del self.cells[self.region[1] + 1]

    def _command(self, letter: str, numbers: Sequence[int]) -> None:
        first = max(1, numbers[0])
        wide = len(self.cells[0])
        match letter:
            case "H":
                self.row, self.column = first - 1, max(1, [*numbers, 1][1]) - 1
            case "r":
                self.region = first - 1, ([*numbers, 0][1] or len(self.cells)) - 1
                self.row = self.column = 0
            case "A" | "B":
                self.row = max(0, self.row + (first if letter == "B" else -first))
            case "C" | "D":
                self.column = max(0, self.column + (first if letter == "C" else -first))
            case "K" if self.row < len(self.cells):
                begin, end = (0, self.column + 1) if numbers[0] == 1 else (self.column, wide)
                self.cells[self.row][begin:end] = [" "] * (end - begin)
            case "J":
                for row in self.cells[self.row + 1 :] if numbers[0] == 0 else self.cells:
                    row[:] = [" "] * wide
                if numbers[0] == 0:
                    self._command("K", [0])


class Glass:
    """`with Glass("top", …) as glass`: the command watchkeeper behind glass."""

    def __init__(
        self, *arguments: str, lines: int = 24, columns: int = 100, variables: Mapping[str, str] | None = None
    ) -> None:
        self.screen = Screen(lines, columns)
        self._command = [sys.executable, "-m", "collector", *arguments]
        self._environ = {**environ(), "TERM": "vt100", "LC_ALL": "C.UTF-8", **(variables or {})}
        for size in {"LINES", "COLUMNS"} - set(variables or {}):
            self._environ.pop(
                size, None
            )  # whoever runs the tests may say one, which would then hold for ever
        self.code: int | None = None
        self.raw = bytearray()
        """All that was written to the terminal."""

    def __enter__(self) -> Glass:
        self.pid, self._pty = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            signal.signal(
                signal.SIGINT, signal.SIG_DFL
            )  # whoever runs the tests in the background ignores it
            os.execve(self._command[0], self._command, self._environ)
        self.resize(len(self.screen.cells), len(self.screen.cells[0]))
        self.as_it_was = self.manners
        return self

    @property
    def manners(self) -> list[object]:
        """How the terminal treats keys and lines: whether it echoes, waits for the end of a line, and so on."""
        return termios.tcgetattr(self._pty)

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._pty)

    def resize(self, lines: int, columns: int) -> None:
        self.screen.resize(lines, columns)
        fcntl.ioctl(self._pty, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._pty, keys.encode())

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def read_for(self, seconds: float) -> int:
        """Watch for so long; how many bytes came."""
        before, end_s = len(self.raw), time.monotonic() + seconds
        self._until(lambda: time.monotonic() > end_s, "time to pass")
        return len(self.raw) - before

    def shows(self, text: str, *, gone: bool = False) -> list[str]:
        """Wait until the text stands on the screen (or does not any more); all lines then."""
        self._until(lambda: (text in "\n".join(self.screen.lines)) is not gone, f"{text!r}{' to go' * gone}")
        return self.screen.lines

    def ends(self) -> int:
        """Wait for the end of the program; its exit code."""
        self._until(self._has_ended, "the program to end")
        assert self.code is not None
        return self.code

    def _has_ended(self) -> bool:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def _until(self, is_so: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not is_so():
            shown = "\n".join(self.screen.lines)
            assert time.monotonic() < end_s, f"waited in vain for {what}; the screen shows:\n{shown}"
            if select.select([self._pty], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    raw = os.read(self._pty, 65_536)
                    self.raw += raw
                    self.screen.feed(raw.decode(errors="replace"))
