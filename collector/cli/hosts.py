"""`watchkeeper host`: enrol a host and say what to write into its agent's config."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from urllib.parse import urlsplit

from agent.wire import Token
from collector.cli import Commands, House, add_config, argument
from collector.store import Hosts, StoreError
from rules.model import Host

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]{0,62})=(.{0,200})")


def add_to(commands: Commands, house: House) -> None:
    host = commands.add_parser("host", help="enrol hosts").add_subparsers(required=True, metavar="COMMAND")
    add = host.add_parser("add", help="enrol a host and print its agent's config, token included")
    add.add_argument("name", type=argument(parse_name))
    add.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    add_config(add)
    add.set_defaults(command=partial(_add, house))
    listing = host.add_parser("list", help="the enrolled hosts")
    add_config(listing)
    listing.set_defaults(command=partial(_list, house))


def _add(house: House, arguments: argparse.Namespace) -> int:
    loaded = house.load(arguments.config)
    labels = parse_labels(arguments.label)

    async def add() -> int:
        token, now = house.new_token(), house.now_ms()
        store = await house.open_store(loaded, "tool")
        try:
            host = await enrol(store.hosts, arguments.name, labels, token, now)
        finally:
            await store.close()
        if host.enrolled_at != now:
            print(
                f"{host.name} is enrolled already: this is one more token, and those before it still hold",
                file=sys.stderr,
            )
        print(agent_config(loaded.config.link_base, token[0]), end="")
        return 0

    return house.run(add())


def _list(house: House, arguments: argparse.Namespace) -> int:
    loaded = house.load(arguments.config)

    async def show() -> int:
        store = await house.open_store(loaded, "tool")
        try:
            hosts = [host for host in await store.hosts.all() if not host.is_service]
            print(table(hosts, house.now_ms()))
        finally:
            await store.close()
        return 0

    return house.run(show())


def parse_name(text: str) -> str:
    """A host's name as given. ValueError says what is allowed."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a host name; use letters, digits, dots and dashes, such as db-3.example.org"
        )
    return text


def parse_labels(texts: list[str]) -> dict[str, str]:
    """['role=db'] as {'role': 'db'}. ValueError says what is allowed."""
    labels: dict[str, str] = {}
    for text in texts:
        match = _LABEL.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a label; write NAME=VALUE, such as role=db")
        labels[match[1]] = match[2]
    return labels


async def enrol(
    hosts: Hosts, name: str, labels: dict[str, str], token: tuple[Token, bytes], now: int
) -> Host:
    """Enrol a host by a fresh token (and its SHA-256). A host that is there gets this token beside its others."""
    fresh, sha256 = token
    known = next((host for host in await hosts.all() if host.name == name), None)
    if known is None:
        return await hosts.enrol(name, labels, fresh.id, sha256, now)
    if labels:
        raise StoreError(f"host {name} is enrolled already; its labels are not changed by enrolling it again")
    await hosts.add_token(known.id, fresh.id, sha256, now)
    return known


def agent_config(url: str, token: Token) -> str:
    """The agent.yaml for a host that was just enrolled: the only place where its token is ever shown."""
    private = url.startswith("https://") or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    plain = "" if private else "  allow_plaintext: true   # the token crosses the network unencrypted\n"
    return f"agent:\n  collector: {url}\n  token: {token}\n{plain}"


def table(hosts: list[Host], now: int) -> str:
    """The enrolled hosts for a terminal, one a line."""
    if not hosts:
        return "No host yet. Enrol one with: watchkeeper host add NAME"
    rows = [("HOST", "SEEN", "LABELS")]
    for host in hosts:
        seen = "never" if host.arrived_at is None else f"{max(0, now - host.arrived_at) // 1000} s ago"
        rows.append(
            (host.name, seen, " ".join(f"{key}={value}" for key, value in sorted(host.labels.items())))
        )
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:{wide[0]}}  {seen:{wide[1]}}  {labels}".rstrip() for name, seen, labels in rows)
