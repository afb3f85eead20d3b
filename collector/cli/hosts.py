"""`watchkeeper host`: enrol hosts, and say what to write into their agents' config; change them, and let them go. They
are written to the store itself, so that hosts can be enrolled before the collector is started."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from agent.wire import Token
from collector.cli import Commands, House, add_config, argument
from collector.cli.close import did_you_mean
from collector.cli.desk import at_this_shell
from collector.cli.labels import labels_in_words, parse_labels
from collector.cli.remote.hosts import SHOW, add_show_to
from collector.desks.hosts import Hosts as Desk
from collector.desks.trail import Audit
from collector.store import Hosts, Store, StoreError
from collector.who import Who
from rules.model import Host

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")


def add_to(commands: Commands, house: House) -> None:
    host = commands.add_parser(
        "host", help="how a host is; enrol hosts, change them, let them go"
    ).add_subparsers(required=True, metavar="NAME | COMMAND", action=_VerbsOrName)
    add_show_to(host, house)
    add = host.add_parser("add", help="enrol a host and print its agent's config, token included")
    add.add_argument("name", type=argument(parse_name))
    add.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    add_config(add)
    add.set_defaults(command=partial(_add, house))
    label = _about_one(host, house, "label", "give a host labels, over what its agent says", _label)
    label.add_argument("labels", nargs="+", metavar="NAME=VALUE", help="nothing after = takes the label away")
    rename = _about_one(host, house, "rename", "call a host otherwise; it keeps all that it has", _rename)
    rename.add_argument("new_name", type=argument(parse_name), metavar="NEW-NAME")
    _about_one(host, house, "revoke", "let nobody push as a host until it is enrolled again", _revoke)
    _about_one(host, house, "remove", "drop a host and its samples; incidents stay as history", _remove)


class _VerbsOrName(argparse._SubParsersAction):  # type: ignore[type-arg]
    """`host NAME` is `host show NAME`."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.choices = None  # type: ignore[assignment]  # what argparse takes as: any word will do

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        words = values if values[0] in self._name_parser_map else [SHOW, *values]
        super().__call__(parser, namespace, words, option_string)


Change = Callable[[Desk, Who, Host, argparse.Namespace], Awaitable[str]]
"""Does something to a host; what it returns is said."""


def _about_one(
    commands: Commands, house: House, name: str, about: str, change: Change
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=about)
    command.add_argument("name")
    add_config(command)
    command.set_defaults(command=partial(_change, house, change))
    return command


def _change(house: House, change: Change, arguments: argparse.Namespace) -> int:
    loaded = house.load(arguments.config)

    async def run() -> int:
        async with house.store(loaded) as store:
            host = await named(store.hosts, arguments.name)
            print(await change(desk_of(store, house.now_ms), at_this_shell(), host, arguments))
        return 0

    return house.run(run())


async def named(hosts: Hosts, name: str) -> Host:
    """The host of that name. StoreError when there is none, or it is a service."""
    known = {host.name: host for host in await hosts.all() if not host.is_service}
    if name in known:
        return known[name]
    raise StoreError(
        f"there is no host named {name}{did_you_mean(name, known) or '; see: watchkeeper hosts'}"
    )


async def _label(desk: Desk, who: Who, host: Host, arguments: argparse.Namespace) -> str:
    given = parse_labels(arguments.labels)
    wanted = {label: text or None for label, text in given.items()}
    labelled = await desk.change(who, host.id, labels=wanted)
    return f"{host.name} has the labels: {labels_in_words(labelled.labels) or 'none'}"


async def _rename(desk: Desk, who: Who, host: Host, arguments: argparse.Namespace) -> str:
    renamed = await desk.change(who, host.id, name=arguments.new_name)
    return f"{host.name} is called {renamed.name} from now on; its agent need not know"


async def _revoke(desk: Desk, who: Who, host: Host, _arguments: argparse.Namespace) -> str:
    count = await desk.revoke(who, host.id)
    if not count:
        return f"{host.name} has no token that holds"
    tokens = "its token holds" if count == 1 else f"its {count} tokens hold"
    again = f"watchkeeper join-command --host {host.name}"
    return f"{tokens} no more, for a collector at work within seconds; to let it back in: {again}"


async def _remove(desk: Desk, who: Who, host: Host, _arguments: argparse.Namespace) -> str:
    await desk.remove(who, host.id)
    return (
        f"{host.name} is removed; what it brought is dropped little by little, its incidents stay as history"
    )


def _add(house: House, arguments: argparse.Namespace) -> int:
    loaded = house.load(arguments.config)
    labels = parse_labels(arguments.label)

    async def add() -> int:
        async with house.store(loaded) as store:
            token, is_new = await enrol(store, arguments.name, labels, house.now_ms)
        if not is_new:
            print(
                f"{arguments.name} is enrolled already: this is one more token, and those before it still hold",
                file=sys.stderr,
            )
        print(agent_config(loaded.config.link_base, token), end="")
        return 0

    return house.run(add())


def parse_name(text: str) -> str:
    """A host's name as given. ValueError says what is allowed."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a host name; use letters, digits, dots and dashes, such as db-3.example.org"
        )
    return text


async def enrol(
    store: Store, name: str, labels: dict[str, str], now_ms: Callable[[], int]
) -> tuple[Token, bool]:
    """A token for a host, and whether it is a new one. StoreError when labels are given to one that is there."""
    desk, who = desk_of(store, now_ms), at_this_shell()
    known = next((host for host in await store.hosts.all() if host.name == name), None)
    if known is None:
        return (await desk.enrol(who, name, labels))[1], True
    if labels:
        raise StoreError(f"host {name} is enrolled already; its labels are not changed by enrolling it again")
    return await desk.enrol_again(who, known), False


def desk_of(store: Store, now_ms: Callable[[], int]) -> Desk:
    return Desk(store.hosts, Audit(store.people, now_ms), now_ms)


def agent_config(url: str, token: Token) -> str:
    """The agent.yaml for a host that was just enrolled: the only place where its token is ever shown."""
    private = url.startswith("https://") or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    plain = "" if private else "  allow_plaintext: true   # the token crosses the network unencrypted\n"
    return f"agent:\n  collector: {url}\n  token: {token}\n{plain}"
