"""What the `watchkeeper` command says and asks at a terminal, one file per subject.

Each of them brings its commands with `add_to(commands, house)`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from agent.wire import Token
from collector import config as settings
from collector.caretaker import Caretaker
from collector.config import Loaded
from collector.store import Store

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Role = Literal["collector", "tool"]


class House(Struct, frozen=True):
    """What commands need of the other parts of the collector, which they do not know: `__main__` hands it to them.

    `load` reads the config that was named, or the default one; `run` runs what a command does to its exit code.
    """

    load: Callable[[Path | None], Loaded]
    open_store: Callable[[Loaded, Role], Coroutine[Any, Any, Store]]
    caretaker: Callable[[Loaded], Caretaker]
    new_token: Callable[[], tuple[Token, bytes]]
    now_ms: Callable[[], int]
    run: Callable[[Coroutine[Any, Any, int]], int]


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"default: {settings.DEFAULT_FILE}")


def argument(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser whose ValueError argparse repeats to the person, instead of its own 'invalid value'."""

    def wrapped(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return wrapped
