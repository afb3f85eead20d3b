"""`watchkeeper-agent join` and `rotate`: how a host comes by its token, and by the next one."""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from agent import wire
from agent.config import DEFAULT_FILE, LOOPBACK, Loaded
from agent.facts import VERSION, os_name
from agent.joining.asking import NotGiven, ask
from agent.joining.files import SERVICE_USER, Place, existing, fresh, see_that_it_can_be_written, write
from agent.net.proxy import Proxy
from agent.options import ConfigError
from agent.pusher.post import Post
from agent.service import trust_of

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
CODE_CHARS_MAX = 200
WELL, FAILED, MISTAKE = 0, 1, 2


class Given(Struct, frozen=True):
    """What a person says of how the collector is to be reached, for a host that has no config yet."""

    url: str
    pin: str | None = None
    ca: Path | None = None
    state: Path | None = None
    allow_plaintext: bool = False

    def config(self) -> str:
        """The agent.yaml that says so."""
        lines = [
            "# Written when this host joined. What you change here is kept; a reload has the agent read it again.",
            "agent:",
            f"  collector: {json.dumps(self.url)}",
            "  token_file: agent.token",
        ]
        lines += [f"  pin: {json.dumps(self.pin)}"] if self.pin else []
        lines += [f"  ca: {json.dumps(str(self.ca.absolute()))}"] if self.ca else []
        lines += [f"  state: {json.dumps(str(self.state.absolute()))}"] if self.state else []
        lines += [
            "  allow_plaintext: true   # the token crosses the network unencrypted"
        ] * self.allow_plaintext
        return "\n".join(lines) + "\n"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code: 0 done, 1 the collector did not, 2 a mistake in config or arguments."""
    args = _arguments().parse_args(argv)
    try:
        return _join(args, environ) if args.command == "join" else _rotate(args.config, environ)
    except (ConfigError, ValueError) as mistake:
        print(f"watchkeeper-agent: {mistake}", file=sys.stderr)
        return MISTAKE
    except (NotGiven, OSError) as error:
        print(f"watchkeeper-agent: {error}", file=sys.stderr)
        return FAILED


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="watchkeeper-agent")
    commands = parser.add_subparsers(dest="command", required=True)
    join = commands.add_parser("join", help="exchange a join code for a token of this host's own")
    join.add_argument("url", help="where the collector is, such as https://watch.example.org")
    join.add_argument("code", help="what `watchkeeper join-command` printed; - reads it from stdin")
    join.add_argument("--name", help="what the host is to be called; its hostname when left out")
    join.add_argument("--pin", metavar="sha256:…", help="the fingerprint of the collector's certificate")
    join.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates (PEM) to trust instead of the system's"
    )
    join.add_argument("--state", type=Path, metavar="DIR", help="where the agent keeps its things")
    join.add_argument(
        "--allow-plaintext", action="store_true", help="let code and token cross the network unencrypted"
    )
    rotate = commands.add_parser("rotate", help="get a new token in the place of the present one")
    for command in (join, rotate):
        command.add_argument("--config", type=Path, metavar="FILE", help=f"default: {DEFAULT_FILE}")
    return parser


# --- join -------------------------------------------------------------------------------------------------------------


def _join(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    code = sys.stdin.readline(CODE_CHARS_MAX + 1).strip() if args.code == "-" else args.code
    name = _name(args.name)
    url = args.url.rstrip("/")
    place = _place(args, url, environ)
    see_that_it_can_be_written(place)
    facts = {"os": os_name(), "arch": os.uname().machine, "agent_version": VERSION}
    post = _post(place.loaded, url, wire.JOIN_PATH, place.token)
    answer = ask(post, wire.encode(wire.Join(code, name, bool(args.name), facts)), wire.decode_joined)
    write(place, answer.token)
    print(f"This host has joined {url} as {answer.name}.{_labels(answer.labels)}")
    print(f"Its token is in {place.token_file}, which only the agent may read.")
    if place.text:
        print(f"{place.config} says where the collector is.")
    return WELL


def _name(given: str | None) -> str:
    name = given or socket.gethostname()
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a host; --name gives it another: letters, digits, dots and dashes"
        )
    return name


def _place(args: argparse.Namespace, url: str, environ: Mapping[str, str]) -> Place:
    config = args.config or DEFAULT_FILE
    if config.exists():
        place = existing(config, environ)
        known = [one.rstrip("/") for one in place.loaded.config.collectors]
        if url not in known:
            raise place.loaded.error(
                "collector", f"is {', '.join(known)} and not {url}; put that there first, or join that one"
            )
        return place
    if urlsplit(url).scheme == "http" and not args.allow_plaintext:
        host = urlsplit(url).hostname or ""
        if not LOOPBACK.fullmatch(host):
            raise ValueError(
                f"over plain http anyone on the way to {host} can read code and token; use https://, "
                "or say --allow-plaintext"
            )
    given = Given(url, args.pin, args.ca, args.state, args.allow_plaintext)
    return fresh(config, given.config(), environ)


def _post(loaded: Loaded, url: str, path: str, token: str) -> Post:
    config = loaded.config
    proxy = Proxy.of(config.proxy.reveal()) if config.proxy is not None else None
    return Post(url, token, f"watchkeeper-agent/{VERSION}", trust_of(config), proxy, path)


def _labels(labels: Mapping[str, str]) -> str:
    said = ", ".join(f"{label}={text}" for label, text in sorted(labels.items()))
    return f" It is labelled {said}." if said else ""


# --- rotate -----------------------------------------------------------------------------------------------------------


def _rotate(config: Path | None, environ: Mapping[str, str]) -> int:
    place = existing(config or DEFAULT_FILE, environ)
    if not place.token:
        raise ConfigError(str(place.token_file), None, "", "holds no token yet; join first")
    see_that_it_can_be_written(place)
    write(place, _renewed(place).token)
    print(f"A new token is in {place.token_file}. The one before it holds until the agent has used this one:")
    print(f"systemctl reload {SERVICE_USER}")
    return WELL


def _renewed(place: Place) -> wire.Rotated:
    """By the first collector that does it, as all are ways to the same tokens. NotGiven."""
    *others, last = place.loaded.config.collectors
    for url in others:
        try:
            return _asked(place, url)
        except NotGiven as error:
            print(f"{error}; the next collector is asked", file=sys.stderr)
    return _asked(place, last)


def _asked(place: Place, url: str) -> wire.Rotated:
    post = _post(place.loaded, url, wire.ROTATE_PATH, place.token)
    return ask(post, msgspec.json.encode({}), wire.decode_rotated)
