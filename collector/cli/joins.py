"""`watchkeeper join-command`: the one command that makes a host join; `watchkeeper join`: the codes there are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from agent.options import duration_s
from collector.cli import Commands, House, add_config, argument, number_up_to
from collector.cli.desk import at_this_shell
from collector.cli.hosts import named
from collector.cli.labels import labels_in_words, parse_labels
from collector.cli.tables import table
from collector.desks.codes import USES_MAX, Codes, Told
from collector.store import Store
from collector.store.joins import Join
from collector.who import Refusal
from rules import words


def add_to(commands: Commands, house: House) -> None:
    make = commands.add_parser("join-command", help="the one command that installs an agent and lets it join")
    make.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="for every host that joins by it"
    )
    make.add_argument(
        "--uses", type=number_up_to(USES_MAX), default=1, metavar="N", help="how many hosts may (default: 1)"
    )
    make.add_argument(
        "--for",
        dest="for_s",
        type=argument(duration_s),
        default=1_800.0,
        metavar="30m",
        help="how long it holds",
    )
    make.add_argument(
        "--host", metavar="NAME", help="for this host alone, whose tokens so far hold no more then"
    )
    make.add_argument(
        "--upgrade",
        action="store_true",
        help="instead, the command for hosts that joined to get this version",
    )
    make.add_argument("--code-only", action="store_true", help="print the code and nothing else")
    make.set_defaults(command=partial(_make, house))
    verbs = commands.add_parser("join", help="the codes by which hosts join").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listing = verbs.add_parser("list", help="all of them, and what became of them")
    listing.set_defaults(command=partial(_list, house))
    revoke = verbs.add_parser("revoke", help="let nobody in by a code any more")
    revoke.add_argument("id")
    revoke.set_defaults(command=partial(_revoke, house))
    for parser in (make, listing, revoke):
        add_config(parser)


def _make(house: House, arguments: argparse.Namespace) -> int:
    labels = parse_labels(arguments.label)

    async def make(codes: Codes, store: Store) -> None:
        if arguments.upgrade:
            print(_command_of(await codes.tell()))
            return
        host = await named(store.hosts, arguments.host) if arguments.host else None
        code, join = await codes.make(
            at_this_shell(),
            labels=labels,
            uses=arguments.uses,
            for_ms=round(arguments.for_s * 1000),
            host=host.id if host is not None else None,
        )
        if arguments.code_only:
            print(code)
            return
        told = await codes.tell(code)
        if told.command is None:
            print(
                f"No command installs it: {told.trouble}. Where the agent is installed already:",
                file=sys.stderr,
            )
        if told.warning:
            print(told.warning, file=sys.stderr)
        who = f"The host {host.name} joins" if host is not None else _hosts(join)
        print(f"{who} by this until {words.moment(join.expires_at)}:\n", file=sys.stderr)
        print(told.command or told.by_hand)

    return _with_codes(house, arguments, make)


def _command_of(told: Told) -> str:
    """Refusal when there is none."""
    if told.command is None:
        raise Refusal(409, "no_installer", told.trouble)
    return told.command


def _hosts(join: Join) -> str:
    return "One host joins" if join.uses_max == 1 else f"{join.uses_max} hosts join"


def _list(house: House, arguments: argparse.Namespace) -> int:
    async def show(codes: Codes, store: Store) -> None:
        now, names = house.now_ms(), {host.id: host.name for host in await store.hosts.all()}
        rows = [
            (
                join.id,
                join.over(now) or "holds",
                words.moment(join.expires_at),
                f"{join.uses} of {join.uses_max}",
                names.get(join.host, "gone") if join.host is not None else "any",
                join.created_by,
                labels_in_words(join.labels),
            )
            for join in await codes.all()
        ]
        if not rows:
            print("No join code yet. Make one with: watchkeeper join-command")
            return
        print("\n".join(table(("ID", "STATE", "UNTIL", "USED", "HOST", "BY", "LABELS"), rows)))

    return _with_codes(house, arguments, show)


def _revoke(house: House, arguments: argparse.Namespace) -> int:
    async def revoke(codes: Codes, _store: Store) -> None:
        await codes.revoke(at_this_shell(), arguments.id)
        print(f"Nobody comes in by {arguments.id} any more; hosts that have joined by it stay.")

    return _with_codes(house, arguments, revoke)


def _with_codes(
    house: House, arguments: argparse.Namespace, work: Callable[[Codes, Store], Awaitable[None]]
) -> int:
    loaded = house.load(arguments.config)

    async def run() -> int:
        async with house.store(loaded) as store:
            await work(house.codes(store, loaded), store)
        return 0

    return house.run(run())
