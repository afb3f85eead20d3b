"""`watchkeeper token`: programs with rights of their own."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from agent.options import duration_s
from collector.cli import Commands, House, add_config, argument
from collector.cli.desk import at_the_desk
from collector.cli.tables import table, without
from collector.desks.people import Desk
from collector.store.people import ApiToken
from collector.who import PERMISSIONS, Who
from rules import words


def add_to(commands: Commands, house: House) -> None:
    verbs = commands.add_parser("token", help="programs with rights of their own").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add = verbs.add_parser("add", help="a new token, printed once and never again")
    add.add_argument("name", help="what the trail calls the program")
    add.add_argument(
        "--may",
        action="append",
        required=True,
        metavar="PERMISSION",
        help=f"what it may do; can be given several times: {', '.join(sorted(PERMISSIONS))}",
    )
    add.add_argument(
        "--for", dest="for_s", type=argument(duration_s), metavar="90d", help="default: for ever"
    )
    add.set_defaults(command=partial(_add, house))
    listing = verbs.add_parser("list", help="all tokens, and when they were used")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(command=partial(_list, house))
    revoke = verbs.add_parser("revoke", help="let a token hold no more")
    revoke.add_argument("id")
    revoke.set_defaults(command=partial(_revoke, house))
    for parser in verbs.choices.values():
        add_config(parser)


def _add(house: House, arguments: argparse.Namespace) -> int:
    async def add(desk: Desk, who: Who) -> str:
        expires_at = None if arguments.for_s is None else house.now_ms() + round(arguments.for_s * 1000)
        text, _ = await desk.add_api_token(who, arguments.name, arguments.may, expires_at=expires_at)
        print("This is shown once. Send it as the header Authorization: Bearer TOKEN", file=sys.stderr)
        return text

    return at_the_desk(house, arguments, add)


def _list(house: House, arguments: argparse.Namespace) -> int:
    async def show(desk: Desk, who: Who) -> str:
        now = house.now_ms()
        if arguments.json:
            return without(await desk.api_tokens(), "secret_sha256")
        rows = [
            (
                token.id,
                token.name,
                _state(token, now),
                words.moment(token.used_at) if token.used_at is not None else "never",
                token.created_by,
                " ".join(token.permissions),
            )
            for token in await desk.api_tokens()
        ]
        if not rows:
            return "No token yet. Make one with: watchkeeper token add NAME --may monitoring.read"
        return "\n".join(table(("ID", "NAME", "STATE", "USED", "BY", "MAY"), rows))

    return at_the_desk(house, arguments, show)


def _state(token: ApiToken, now: int) -> str:
    if token.revoked_at is not None:
        return f"revoked {words.moment(token.revoked_at)}"
    if token.expires_at is None:
        return "holds"
    return f"{'holds until' if now < token.expires_at else 'expired'} {words.moment(token.expires_at)}"


def _revoke(house: House, arguments: argparse.Namespace) -> int:
    async def revoke(desk: Desk, who: Who) -> str:
        await desk.revoke_api_token(who, arguments.id)
        return f"The token {arguments.id} holds no more."

    return at_the_desk(house, arguments, revoke)
