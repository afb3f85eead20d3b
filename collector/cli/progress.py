"""How far something has come: a bar on a terminal, nothing anywhere else, or lines for a program that asks for them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

import msgspec

from collector.desks.replays import Step

BAR = 30
DRAWN_EVERY_S = 0.1
SAID_EVERY_S = 0.5
CLEAR = "\r\x1b[2K"


class Progress:
    """To be called with what is being done and the share of it that is done, None where that cannot be known.

    What is not written to a terminal is read by nobody at that time: a job at night would mail it.
    """

    def __init__(self, out: TextIO | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stderr
        self._monotonic = monotonic
        self._bar = self._out.isatty()
        self._what = ""
        self._began_s = self._told_s = 0.0

    def __call__(self, what: str, share: float | None) -> None:
        if not self._bar:
            return
        now_s = self._monotonic()
        if what != self._what:
            self._what, self._began_s = what, now_s
        elif now_s - self._told_s < DRAWN_EVERY_S:
            return
        self._told_s = now_s
        done = "" if share is None else f" {share:4.0%}"
        self._out.write(f"{CLEAR}{what:12}{_bar(share)}{done}  {_clock(now_s - self._began_s)}")
        self._out.flush()

    def end(self) -> None:
        """What is written next has the line for itself."""
        if self._what:
            self._out.write(CLEAR)
            self._out.flush()
        self._what = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Lines(Progress):
    """The same for a program: each a line of JSON, `{"what": "replaying", "share": 0.2}`."""

    def __call__(self, what: str, share: float | None) -> None:
        now_s = self._monotonic()
        if what == self._what and now_s - self._told_s < SAID_EVERY_S:
            return
        self._what, self._told_s = what, now_s
        self._out.write(f"{msgspec.json.encode(Step(what, share)).decode()}\n")
        self._out.flush()

    def end(self) -> None:
        self._what = ""


def _bar(share: float | None) -> str:
    full = round((share or 0) * BAR)
    return f"[{'#' * full}{'.' * (BAR - full)}]"


def _clock(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    return f"{minutes}:{left:02}"
