"""`watchkeeper top`: a screen that shows what is wrong now, the worst first, and follows it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial

from collector.cli import Commands, House
from collector.cli.remote.command import UNREACHABLE, client_for, complain
from collector.cli.remote.place import Unreachable, add_place
from collector.cli.top.follower import Follower
from collector.cli.top.screen import show

TIMEOUT_S = 5.0


def add_to(commands: Commands, house: House) -> None:
    top = commands.add_parser(
        "top", help="a screen that follows what is wrong, the worst first", description="`?` shows the keys."
    )
    add_place(top)
    top.set_defaults(command=partial(_top, house))


def _top(house: House, arguments: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        raise ValueError("top needs a terminal; for a file or a program there is: watchkeeper status --watch")
    try:
        client = client_for(house, arguments, TIMEOUT_S)
    except Unreachable as trouble:
        complain(trouble)
        return UNREACHABLE
    follower = Follower(client, house.now_ms, time.monotonic)
    follower.start()
    try:
        show(follower, client.place.url, house.now_ms, coloured=not os.environ.get("NO_COLOR"))
    finally:
        follower.stop()
    return 0
