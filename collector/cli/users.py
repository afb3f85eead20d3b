"""`watchkeeper user`: who can log in, and as what."""

from __future__ import annotations

import argparse
from functools import partial

from collector.cli import Commands, House, add_config
from collector.cli.desk import add_password, ask_password, at_the_desk
from collector.cli.tables import table, without
from collector.desks.people import Desk
from collector.store.people import OWNER
from collector.who import Who
from rules import words


def add_to(commands: Commands, house: House) -> None:
    verbs = commands.add_parser("user", help="who can log in, and as what").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add = verbs.add_parser("add", help="a new user; the first one is an owner")
    add.add_argument("name")
    add.add_argument("--role", help="owner, admin, member, viewer, or one of the config's; default: viewer")
    add.add_argument("--email", default="")
    add_password(add)
    add.set_defaults(command=partial(_add, house))

    reset = verbs.add_parser("reset", help="another password for a user, who is logged out everywhere")
    reset.add_argument("name")
    add_password(reset)
    reset.set_defaults(command=partial(_reset, house))

    role = verbs.add_parser("role", help="another role for a user")
    role.add_argument("name")
    role.add_argument("role")
    role.set_defaults(command=partial(_role, house))

    for verb, text, command in (
        ("disable", "let a user log in no more, and log them out", _disable),
        ("enable", "let a user log in again", _enable),
    ):
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("name")
        parser.set_defaults(command=partial(command, house))
    listing = verbs.add_parser("list", help="all users")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(command=partial(_list, house))
    for parser in verbs.choices.values():
        add_config(parser)


def _add(house: House, arguments: argparse.Namespace) -> int:
    password = ask_password(arguments)

    async def add(desk: Desk, who: Who) -> str:
        role = arguments.role or ("viewer" if await desk.users() else OWNER)
        user = await desk.add_user(who, arguments.name, role, password, email=arguments.email)
        return f"{user.name} can log in now, as {user.role}."

    return at_the_desk(house, arguments, add)


def _reset(house: House, arguments: argparse.Namespace) -> int:
    password = ask_password(arguments)

    async def reset(desk: Desk, who: Who) -> str:
        user = await desk.set_password(who, arguments.name, password)
        return f"{user.name} has a new password, and is logged out everywhere."

    return at_the_desk(house, arguments, reset)


def _role(house: House, arguments: argparse.Namespace) -> int:
    async def change(desk: Desk, who: Who) -> str:
        user = await desk.set_role(who, arguments.name, arguments.role)
        return f"{user.name} is {user.role} from now on."

    return at_the_desk(house, arguments, change)


def _disable(house: House, arguments: argparse.Namespace) -> int:
    async def disable(desk: Desk, who: Who) -> str:
        return f"{(await desk.disable(who, arguments.name)).name} is logged out, and cannot log in any more."

    return at_the_desk(house, arguments, disable)


def _enable(house: House, arguments: argparse.Namespace) -> int:
    async def enable(desk: Desk, who: Who) -> str:
        return f"{(await desk.enable(who, arguments.name)).name} can log in again."

    return at_the_desk(house, arguments, enable)


def _list(house: House, arguments: argparse.Namespace) -> int:
    async def show(desk: Desk, who: Who) -> str:
        if arguments.json:
            return without(await desk.users(), "password_hash")
        rows = [
            (
                user.name,
                user.role,
                user.email,
                words.moment(user.created_at),
                "" if user.disabled_at is None else f"disabled {words.moment(user.disabled_at)}",
            )
            for user in await desk.users()
        ]
        if not rows:
            return "No user yet. Make the first one, an owner, with: watchkeeper user add NAME"
        return "\n".join(table(("USER", "ROLE", "MAIL", "SINCE", ""), rows))

    return at_the_desk(house, arguments, show)
