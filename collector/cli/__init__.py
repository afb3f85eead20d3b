"""What the `watchkeeper` command says and asks at a terminal, one file per subject.

Each of them brings its commands with `add_to(commands, house)`.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from agent.options import duration_s
from agent.wire import EVERY_MS_MAX, EVERY_MS_MIN
from collector import config as settings
from collector.caretaker import Caretaker
from collector.config import Loaded
from collector.desks.codes import Codes
from collector.desks.people import Desk
from collector.desks.promises import Accounts
from collector.store import Store
from collector.store.people import People
from rules.model import Host
from rules.sla.model import Span

if TYPE_CHECKING:
    from collector.cli.counsel import Counsel

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class House(Struct, frozen=True):
    """What commands need of the other parts of the collector, which they do not know: `__main__` hands it to them.

    `load` reads the config that was named, or the default one, and `look_over` sees that it is right in all its parts
    (ConfigError) and says how many rules hold; `run` runs what a command does to its exit code. `sla` and `analysis`
    are what the API would answer, of a store at which no collector need be at work.
    """

    load: Callable[[Path | None], Loaded]
    look_over: Callable[[Loaded], int]
    open_store: Callable[[Loaded], Coroutine[Any, Any, Store]]
    caretaker: Callable[[Loaded], Caretaker]
    desk: Callable[[People, Loaded], Desk]
    codes: Callable[[Store, Loaded], Codes]
    accounts: Callable[[Store, Loaded], Accounts]
    counsel: Callable[[Store, Loaded], Counsel]
    sla: Callable[[Store, Loaded, Span | None], Coroutine[Any, Any, bytes]]
    analysis: Callable[[Store, Loaded, Sequence[Host], Callable[[float], None]], Coroutine[Any, Any, bytes]]
    now_ms: Callable[[], int]
    run: Callable[[Coroutine[Any, Any, int]], int]

    @asynccontextmanager
    async def store(self, loaded: Loaded) -> AsyncIterator[Store]:
        """Opened for a while; a collector may be at work in it. ConfigError, StoreError."""
        store = await self.open_store(loaded)
        try:
            yield store
        finally:
            await store.close()


def add_config(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"default: {settings.DEFAULT_FILE}")


def argument(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser whose ValueError argparse repeats to the person, instead of its own 'invalid value'."""

    def wrapped(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return wrapped


def number_up_to(most: int) -> Callable[[str], int]:
    """Reads a whole number from 1 on."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise ValueError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return argument(parse)


def parse_interval(text: str) -> float:
    """How often an agent samples, in seconds. ValueError says what is allowed."""
    seconds = duration_s(text)
    if not EVERY_MS_MIN <= seconds * 1000 <= EVERY_MS_MAX:
        raise ValueError(f"{text} is too short or too long; agents sample every {EVERY_MS_MIN} ms to 1 d")
    return seconds
