"""What the commands about users and tokens share: the desk that does it, on behalf of whoever sits at this shell."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Awaitable, Callable

from collector.cli import House
from collector.desks.people import Desk
from collector.who import PERMISSIONS, Who


def at_the_desk(
    house: House, arguments: argparse.Namespace, work: Callable[[Desk, Who], Awaitable[str]]
) -> int:
    """Do `work` and print what it says."""
    loaded = house.load(arguments.config)

    async def run() -> int:
        async with house.store(loaded) as store:
            print(await work(house.desk(store.people, loaded), at_this_shell()))
        return 0

    return house.run(run())


def at_this_shell() -> Who:
    """Whoever may write to the store may do everything; the trail calls them by their name on this machine."""
    return Who(f"shell:{user_here()}", "local", PERMISSIONS)


def user_here() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # nobody by that number
        return "local"


def add_password(parser: argparse.ArgumentParser) -> None:
    """A password is asked for, or read; it is never an argument, which every process on the machine could see."""
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password, one line, from stdin"
    )


def ask_password(arguments: argparse.Namespace) -> str:
    """ValueError when two answers are not alike, or there is nobody to be asked."""
    if arguments.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ValueError(
            "there is no terminal to ask for the password; give it on stdin, with --password-stdin"
        )
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise ValueError("the two passwords are not alike; nothing was changed")
    return password
