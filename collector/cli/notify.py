"""`watchkeeper notify`: which channels there are, and a message by one of them to see what becomes of it."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import socket
from functools import partial

import msgspec

from collector.cli import Commands, House, add_config
from collector.cli.tables import table
from collector.config import Loaded, build_channel
from collector.messages import Failed, Message, Sent
from rules.model import Notice

GRACE_S = 2.0


def add_to(commands: Commands, house: House) -> None:
    notify = commands.add_parser("notify", help="try the channels").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listing = notify.add_parser("list", help="the channels of the config")
    listing.add_argument("--json", action="store_true", help="for programs")
    add_config(listing)
    listing.set_defaults(command=partial(_list, house))
    test = notify.add_parser("test", help="send a message by a channel and show the answer")
    test.add_argument("channel")
    add_config(test)
    test.set_defaults(command=partial(_test, house))


def _list(house: House, arguments: argparse.Namespace) -> int:
    channels = house.load(arguments.config).config.channels
    if arguments.json:
        found = [
            {"name": one.name, "kind": _kind(one), "from_severity": one.from_severity} for one in channels
        ]
        print(msgspec.json.encode(found).decode())
        return 0
    if not channels:
        print("No channel yet, so nobody will be told. docs/channels.md says how to add one.")
        return 0
    rows = [(one.name, _kind(one), one.from_severity) for one in channels]
    print(*table(("CHANNEL", "KIND", "FROM"), rows), sep="\n")
    return 0


def _kind(options: object) -> str:
    return type(options).__module__.rpartition(".")[2]


def _test(house: House, arguments: argparse.Namespace) -> int:
    loaded = house.load(arguments.config)
    return house.run(_send(loaded, arguments.channel, house.now_ms()))


async def _send(loaded: Loaded, name: str, now: int) -> int:
    """One try, as the collector makes it. ValueError when there is no such channel."""
    options = next((one for one in loaded.config.channels if one.name == name), None)
    if options is None:
        known = ", ".join(one.name for one in loaded.config.channels) or "none"
        raise ValueError(f'there is no channel "{name}" in the config; there are: {known}')
    channel = build_channel(options)
    try:
        async with asyncio.timeout(channel.timeout_s + GRACE_S):
            outcome = await channel.send(Message(_notice(name, now), loaded.config.link_base))
    except TimeoutError:
        outcome = Failed(f"no end within {channel.timeout_s + GRACE_S:g} s; it may have got through")
    finally:
        await channel.close()
    if isinstance(outcome, Sent):
        print(f"{name} took it: {outcome.answer}")
        return 0
    print(f"{name} did not take it: {outcome.answer}")
    return 1


def _notice(channel: str, now: int) -> Notice:
    collector = socket.gethostname()
    return Notice(
        id=f"wk-test-{secrets.token_hex(8)}",
        incident=0,
        channel=channel,
        reason="first",
        severity="info",
        host=collector,
        title=f"TEST of the channel {channel}, sent by Watchkeeper on {collector}",
        text="Nothing is wrong. Somebody tries whether messages get through, and this one did.",
        created_at=now,
        started_at=now,
    )
