"""The terminal of `top`: draws lines and tells keys, whatever its size is or becomes."""

from __future__ import annotations

import contextlib
import curses
import locale
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from collector.cli.top.drawing import Line, Style, draw
from collector.cli.top.follower import Follower
from collector.cli.top.view import View, Wish, press

LOOK_FOR_KEYS_MS = 200
DRAWN_AGAIN_AFTER = 5
"""So many times without a key or news, and it is drawn again: durations go on while nothing comes."""
ESCAPE_MS = 25
NAMES = {
    curses.KEY_UP: "up", curses.KEY_DOWN: "down", curses.KEY_LEFT: "left", curses.KEY_RIGHT: "right",
    curses.KEY_PPAGE: "page up", curses.KEY_NPAGE: "page down", curses.KEY_HOME: "home", curses.KEY_END: "end",
    curses.KEY_ENTER: "enter", curses.KEY_BACKSPACE: "back", curses.KEY_RESIZE: "resize",
}  # fmt: skip
LETTERS = {"\n": "enter", "\r": "enter", "\x1b": "escape", "\x7f": "back", "\b": "back"}
COLOURS = {
    "ok": curses.COLOR_GREEN,
    "info": curses.COLOR_CYAN,
    "warning": curses.COLOR_YELLOW,
    "critical": curses.COLOR_RED,
}
PLAIN: dict[Style, int] = {
    "plain": curses.A_NORMAL, "dim": curses.A_DIM, "unknown": curses.A_DIM, "head": curses.A_BOLD,
    "ok": curses.A_NORMAL, "info": curses.A_NORMAL, "warning": curses.A_NORMAL, "critical": curses.A_BOLD,
    "chosen": curses.A_REVERSE,
}  # fmt: skip


def show(follower: Follower, where: str, now_ms: Callable[[], int], *, coloured: bool) -> None:
    """Until a person quits, or somebody ends it (SystemExit); the terminal is left as it was. ValueError for a kind of
    terminal of which this machine knows nothing."""
    _speak_as_the_terminal()
    os.environ.setdefault("ESCDELAY", str(ESCAPE_MS))
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with _terminal() as window:
            _Screen(window, follower, where, now_ms, coloured).run()
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def _speak_as_the_terminal() -> None:
    """Who comes by ssh often brings along a language that is not installed here."""
    for said in ("", "C.UTF-8"):
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, said)
            return


@contextlib.contextmanager
def _terminal() -> Iterator[curses.window]:
    """What curses.wrapper does, less its colours: where none are wanted, it paints everything white on black."""
    try:
        window = curses.initscr()
    except curses.error:
        kind = os.environ.get("TERM", "")
        raise ValueError(
            f"this machine does not know the terminal {kind[:40]!r}; try: TERM=xterm watchkeeper top"
        ) from None
    try:
        curses.noecho()
        curses.cbreak()
        window.keypad(True)
        yield window
    finally:
        window.keypad(False)
        curses.echo()
        curses.nocbreak()
        curses.endwin()


def _end(number: int, _frame: FrameType | None) -> None:
    """Not at once, as it comes by itself: that would leave the terminal without its cursor and echo."""
    raise SystemExit(128 + number)


class _Screen:
    def __init__(
        self, window: curses.window, follower: Follower, where: str, now_ms: Callable[[], int], coloured: bool
    ) -> None:
        self._window, self._follower, self._where, self._now_ms = window, follower, where, now_ms
        self._styles = _colours() if coloured and curses.has_colors() else PLAIN
        self._view = View()
        window.timeout(LOOK_FOR_KEYS_MS)
        try:
            curses.curs_set(0)
        except curses.error:
            return  # a terminal that cannot hide it

    def run(self) -> None:
        quiet = 0
        self._draw()
        while True:
            key = self._key()
            if key is None and not self._follower.changed.is_set() and quiet < DRAWN_AGAIN_AFTER:
                quiet += 1
                continue
            quiet = 0
            self._follower.changed.clear()
            if key is not None and self._do(key).quit:
                return
            self._draw()

    def _key(self) -> str | None:
        try:
            key = self._window.get_wch()
        except curses.error:
            return None
        if isinstance(key, int):
            return NAMES.get(key, "")
        return LETTERS.get(key, key)

    def _do(self, key: str) -> Wish:
        if key == "resize":
            curses.update_lines_cols()
            return Wish()
        height, _ = self._window.getmaxyx()
        wish = press(self._view, key, self._follower.seen, max(1, height - 5))
        self._follower.said = wish.say
        if wish.look:
            self._follower.look_at(self._view.focus)
        if wish.acknowledge:
            self._follower.acknowledge(list(wish.acknowledge))
        return wish

    def _draw(self) -> None:
        follower, size = self._follower, self._window.getmaxyx()
        lines = draw(
            self._view, follower.seen, follower.trouble, follower.said, self._where, size, self._now_ms()
        )
        self._window.erase()
        for place, line in enumerate(lines):
            self._put(place, line, size[1])
        self._window.refresh()

    def _put(self, place: int, line: Line, width: int) -> None:
        try:
            self._window.addnstr(place, 0, line.text, width, self._styles[line.style])
        except curses.error:
            return  # the last corner cannot be written to, or the terminal has become smaller meanwhile


def _colours() -> dict[Style, int]:
    curses.start_color()
    curses.use_default_colors()
    styles = dict(PLAIN)
    for number, (style, colour) in enumerate(COLOURS.items(), start=1):
        curses.init_pair(number, colour, -1)
        styles[style] = PLAIN[style] | curses.color_pair(number)  # type: ignore[index]
    return styles
