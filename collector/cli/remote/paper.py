"""What a command writes for people: columns that line up, colour where it matters, nothing that moves the cursor."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import TextIO

from collector.cli.tables import table
from rules import words

WIDTH_MIN = 40
COLOURS = {
    "critical": "1;31", "bad": "1;31", "failed": "1;31", "silent": "1;31",
    "warning": "33", "warn": "33", "waiting": "33", "acknowledged": "33",
    "ok": "32", "heard": "32", "sent": "32", "active": "32",
    "unknown": "2", "stopped": "2", "restarting": "2", "never": "2", "resolved": "2", "over": "2", "info": "36",
}  # fmt: skip
"""Of words that say how something is, by how a terminal is told."""

Cells = Sequence[str]


class Paper:
    """Lines, gathered until `flush`. Colour only on a terminal, and not where NO_COLOR is set; there, tables are cut
    where the terminal ends. In a file nothing is cut."""

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        self._out = out
        self.is_terminal = out.isatty()
        self._colours = self.is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._lines: list[str] = []

    def say(self, line: str = "") -> None:
        self._lines.append(plain(line))

    def state(self, word: str, rest: str) -> None:
        """A line that begins with how things are."""
        self._lines.append(self._painted(word) + plain(rest))

    def table(self, head: Cells, rows: Sequence[Cells], numbers: Collection[str] = ()) -> None:
        lines = table(head, [[plain(cell) for cell in row] for row in rows], numbers)
        if self.is_terminal:
            lines = [cut(line, max(WIDTH_MIN, shutil.get_terminal_size().columns)) for line in lines]
        self._lines += [
            lines[0],
            *(self._painted_in(line, row) for line, row in zip(lines[1:], rows, strict=True)),
        ]

    def flush(self) -> None:
        self._out.write("".join(f"{line}\n" for line in self._lines))
        self._out.flush()
        self._lines = []

    def _painted_in(self, line: str, row: Cells) -> str:
        """The first cell that says how something is gives its colour to itself."""
        word = next((cell for cell in row if cell in COLOURS), None)
        if word is None:
            return line
        return re.sub(rf"(^|  ){word}(?=  |$)", lambda found: found[1] + self._painted(word), line, count=1)

    def _painted(self, word: str) -> str:
        return f"\x1b[{COLOURS[word]}m{word}\x1b[0m" if self._colours and word in COLOURS else word


def plain(text: str) -> str:
    """What hosts and programs say of themselves may hold what moves a cursor, or turns the direction of writing."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter.isspace():
        return " "
    return letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"


def cut(line: str, width: int) -> str:
    """Letters of East Asia take two columns."""
    if line.isascii() and len(line) <= width:
        return line
    shown = 0
    for place, letter in enumerate(line):
        shown += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if shown > width:
            return f"{line[: max(0, place - 1)]}…"
    return line


def ago(at_ms: int | None, now_ms: int) -> str:
    return "never" if at_ms is None else f"{words.duration(now_ms - at_ms)} ago"


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} %"
