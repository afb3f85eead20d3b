"""The frame of the commands that speak to a collector: where it is, whom the answer is for, how it ended.

Exit codes: 0 done, 1 refused (no right, no such id), 2 a mistake in arguments or config, 3 no collector answered.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from agent.options import duration_s
from collector.cli import House, argument
from collector.cli.remote.client import Client, Refused, Starts, as_json
from collector.cli.remote.paper import Paper, plain
from collector.cli.remote.place import TIMEOUT_S, NoToken, Place, Unreachable, add_place, place_of
from rules import words

DONE, REFUSED, UNREACHABLE = 0, 1, 3
WATCH_S, WATCH_S_MIN, WATCH_S_MAX = 2.0, 1.0, 3_600.0
STARTING_S = 3.0
HOME_AND_CLEAR = "\x1b[H\x1b[J"


class Talk:
    """What a command has at hand: the collector, the paper for people, and who it is for."""

    def __init__(
        self, client: Client, paper: Paper, now_ms: Callable[[], int], *, for_programs: bool
    ) -> None:
        self.client, self.paper, self.for_programs = client, paper, for_programs
        self._now_ms = now_ms

    @property
    def now(self) -> int:
        """By the collector's clock, once it has answered."""
        return self.client.now_ms or self._now_ms()

    def hand(self, raw: bytes) -> int:
        """A program gets what the collector said."""
        print(as_json(raw), flush=True)
        return DONE


Work = Callable[[Talk, argparse.Namespace], int]
"""Asks, writes to the paper, and returns the exit code. May raise Refused and Unreachable."""


def add_talk(parser: argparse.ArgumentParser, house: House, work: Work, *, watch: bool = False) -> None:
    """`watch`: it may be done again and again."""
    parser.add_argument("--json", action="store_true", help="for programs: the API's answer as it is")
    if watch:
        parser.add_argument(
            "--watch",
            nargs="?",
            type=argument(parse_pace),
            const=WATCH_S,
            metavar="TIME",
            help="again and again, every 2s, until Ctrl-C",
        )
    add_place(parser)
    parser.set_defaults(command=partial(talk_to, house, work))


def parse_pace(text: str) -> float:
    """ValueError says what is allowed."""
    seconds = duration_s(text)
    if not WATCH_S_MIN <= seconds <= WATCH_S_MAX:
        raise ValueError(f"{text} is too short or too long; write 1s to 1h")
    return seconds


def client_for(house: House, arguments: argparse.Namespace, timeout_s: float = TIMEOUT_S) -> Client:
    """With `timeout_s` where the arguments say nothing. Unreachable; ValueError and ConfigError for mistakes."""

    def place() -> Place:
        try:
            return place_of(arguments, house.load, os.environ)
        except NoToken as trouble:
            _see_whether_it_starts(trouble.place)
            raise

    return Client(place(), arguments.timeout or timeout_s, place)


def _see_whether_it_starts(place: Place) -> None:
    """Starts, if a collector is there that makes itself ready. One that has a token elsewhere is another's."""
    with Client(place, STARTING_S) as client:
        try:
            client.get("/health")
        except Starts:
            raise
        except (Unreachable, Refused):
            return


def complain(sentence: object) -> None:
    """Whatever answers at an address may have its word in the sentence."""
    lines = map(plain, str(sentence).strip().split("\n"))
    print("watchkeeper:", "\n".join(lines), file=sys.stderr)


def talk_to(house: House, work: Work, arguments: argparse.Namespace) -> int:
    """Have the work done with the collector that is meant; the exit code."""
    try:
        with client_for(house, arguments) as client:
            talk = Talk(client, Paper(sys.stdout, os.environ), house.now_ms, for_programs=arguments.json)
            pace_s: float | None = getattr(arguments, "watch", None)
            if pace_s is not None:
                return _again_and_again(talk, work, arguments, pace_s)
            code = work(talk, arguments)
            talk.paper.flush()
            return code
    except Unreachable as trouble:
        complain(trouble)
        return UNREACHABLE
    except Refused as trouble:
        complain(trouble)
        return REFUSED


def _again_and_again(talk: Talk, work: Work, arguments: argparse.Namespace, pace_s: float) -> int:
    """Until Ctrl-C; then the exit code is that of the last round. A collector that is gone is waited for."""
    code = UNREACHABLE
    try:
        while True:
            code = _round(talk, work, arguments)
            time.sleep(pace_s)
    except KeyboardInterrupt:
        return code


def _round(talk: Talk, work: Work, arguments: argparse.Namespace) -> int:
    try:
        code = work(talk, arguments)
    except Unreachable as trouble:
        complain(trouble)
        return UNREACHABLE
    if talk.paper.is_terminal and not talk.for_programs:
        sys.stdout.write(HOME_AND_CLEAR)
        talk.paper.say(f"as of {words.moment(talk.now)}; Ctrl-C ends it")
    talk.paper.flush()
    return code


@contextlib.contextmanager
def pointing_to(command: str) -> Iterator[None]:
    """Whoever named something that is not there is told where to look what is."""
    try:
        yield
    except Refused as refused:
        if refused.status != 404:
            raise
        raise Refused(
            404, refused.code, f"{str(refused).removesuffix('.')}; see: watchkeeper {command}"
        ) from None


def several(numbers: Sequence[int], work: Callable[[int], None]) -> int:
    """Each of them, whatever becomes of those before: one that is refused is said, and the exit code tells."""
    code = DONE
    for number in numbers:
        try:
            work(number)
        except Refused as trouble:
            complain(trouble)
            code = REFUSED
    return code
