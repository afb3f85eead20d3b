"""`watchkeeper simulate`: a fleet that is not there, for finding out what a collector bears.

Simulated hosts cannot be taken out of a store again, so a collector that somebody relies on is the wrong one to try.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import ssl
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from agent.options import duration_s
from agent.wire import Token
from collector.cli import Commands, House, add_config, argument, number_up_to, parse_interval
from collector.cli.progress import Progress
from collector.cli.simulate import tokens as tokens_of
from collector.cli.simulate import trace
from collector.cli.simulate.connection import Connection
from collector.cli.simulate.fleet import Fleet
from collector.cli.simulate.pushes import Breach, Host, Packed, breached, packed, parse_breach
from collector.cli.simulate.telling import keep_telling, report
from collector.cli.up import is_loopback

HOSTS_MAX = 100_000
CONNECTIONS, CONNECTIONS_MAX = 64, 10_000


def add_to(commands: Commands, house: House) -> None:
    parser = commands.add_parser(
        "simulate",
        help="push as a fleet of simulated hosts would, to see what a collector bears",
        description="Enrols hosts named sim-0001 and so on, missed once it ends: give it a collector of its own.",
    )
    parser.add_argument(
        "--hosts", type=number_up_to(HOSTS_MAX), metavar="N", help="how many; with --tokens, at most"
    )
    parser.add_argument("--interval", type=argument(parse_interval), default=10.0, metavar="TIME", help="10s")
    parser.add_argument("--for", type=argument(duration_s), dest="for_s", metavar="TIME", help="until Ctrl-C")
    parser.add_argument("--url", metavar="URL", help="the collector's address; by default the config's")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="certificates to trust, not the system's")
    parser.add_argument(
        "--allow-plaintext", action="store_true", help="let tokens cross a network unencrypted"
    )
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="use these tokens, and enrol nobody")
    parser.add_argument(
        "--write-tokens", type=Path, metavar="FILE", help="enrol the hosts, write their tokens, and end"
    )
    parser.add_argument("--trace", type=Path, metavar="FILE", help="what the hosts say, one tick a line")
    parser.add_argument(
        "--breach",
        type=argument(parse_breach),
        action="append",
        default=[],
        metavar="HOST:SERIES:VALUE",
        help="what one host says instead, such as sim-0003:disk_used_pct:99",
    )
    parser.add_argument("--connections", type=number_up_to(CONNECTIONS_MAX), default=CONNECTIONS, metavar="N")
    add_config(parser)
    parser.set_defaults(command=partial(_simulate, house))


def _simulate(house: House, arguments: argparse.Namespace) -> int:
    if arguments.hosts is None and arguments.tokens is None:
        raise ValueError("say how many: --hosts N, or --tokens FILE")
    ticks = trace.read(arguments.trace or trace.PACKAGED)
    return house.run(_run(house, arguments, ticks))


async def _run(house: House, arguments: argparse.Namespace, ticks: list[trace.Tick]) -> int:
    """Get tokens, push, and let the tokens go that were got for it."""
    if arguments.tokens is not None:
        url = _url(arguments, arguments.url)
        tokens = tokens_of.read(arguments.tokens)[: arguments.hosts]
        return await _push(house, arguments, ticks, url, tokens)
    loaded = house.load(arguments.config)
    url = _url(arguments, arguments.url or f"http://{loaded.config.listen}")
    _check_breaches(arguments.breach, arguments.hosts, ticks)
    if arguments.write_tokens is not None and arguments.write_tokens.exists():
        raise ValueError(f"{arguments.write_tokens} is there already; name another file")
    with Progress() as progress:
        enrolled = await tokens_of.enrol(house, loaded, arguments.hosts, progress)
    tokens = [token for _, token in enrolled]
    if arguments.write_tokens is not None:
        tokens_of.write(arguments.write_tokens, tokens)
        print(f"{arguments.write_tokens} holds the tokens of {len(tokens)} simulated hosts.")
        return 0
    try:
        return await _push(house, arguments, ticks, url, tokens)
    finally:
        with Progress() as progress:
            await tokens_of.revoke(house, loaded, enrolled, progress)


async def _push(
    house: House,
    arguments: argparse.Namespace,
    ticks: list[trace.Tick],
    url: SplitResult,
    tokens: Sequence[Token],
) -> int:
    _check_breaches(arguments.breach, len(tokens), ticks)
    hosts = _hosts_of(tokens, url, ticks, round(arguments.interval * 1000), arguments.breach)
    tls = ssl.create_default_context(cafile=arguments.ca) if url.scheme == "https" else None
    connections = [Connection(url, tls) for _ in range(min(arguments.connections, len(hosts)))]
    fleet = Fleet(hosts, connections, arguments.interval, now_ms=house.now_ms)
    print(
        f"{len(hosts)} hosts push to {url.geturl()} every {arguments.interval:g} s; Ctrl-C ends it.",
        flush=True,
    )
    began_s, cpu_s = time.monotonic(), _cpu_s()
    await _until_the_end(fleet, arguments.for_s)
    series = len(ticks[0].samples)
    print(report(fleet.total, time.monotonic() - began_s, _cpu_s() - cpu_s, series))
    return 0 if fleet.total.all_well else 1


def _hosts_of(
    tokens: Sequence[Token],
    url: SplitResult,
    ticks: Sequence[trace.Tick],
    every_ms: int,
    breaches: Sequence[Breach],
) -> list[Host]:
    calm = [packed(tick, every_ms) for tick in ticks]
    hosts = []
    for number, token in enumerate(tokens):
        name = tokens_of.name_of(number)
        own = [breach for breach in breaches if breach.host == name]
        tails: list[Packed] = [packed(tick, every_ms) for tick in breached(ticks, own)] if own else calm
        hosts.append(Host(number, name, token, url, tails))
    return hosts


def _check_breaches(breaches: Sequence[Breach], hosts: int, ticks: Sequence[trace.Tick]) -> None:
    """Before anything is done. ValueError names a host or series that there is not."""
    names = {tokens_of.name_of(number) for number in range(hosts)}
    for breach in breaches:
        if breach.host not in names:
            raise ValueError(f"there is no host {breach.host!r}; they are {min(names)} to {max(names)}")
    breached(ticks, breaches)


async def _until_the_end(fleet: Fleet, for_s: float | None) -> None:
    """Until the time is up or somebody ends it, with a line now and then."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    work = asyncio.create_task(fleet.work())
    telling = asyncio.create_task(keep_telling(fleet, sys.stderr))
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait((work, telling, waiting), timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
    for task in (work, telling, waiting):
        task.cancel()
    for end in await asyncio.gather(work, telling, waiting, return_exceptions=True):
        if isinstance(end, Exception):
            raise end
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# --- arguments ------------------------------------------------------------------------------------------------------


def _url(arguments: argparse.Namespace, text: str | None) -> SplitResult:
    """ValueError unless it is an address that tokens may be sent to."""
    if text is None:
        raise ValueError("with --tokens say where to: --url URL")
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{text!r} is no web address; write one such as http://127.0.0.1:8420")
    if url.scheme == "http" and not is_loopback(url.hostname) and not arguments.allow_plaintext:
        raise ValueError(
            f"{text} is not on this machine, and tokens would cross the network unencrypted; use https://, "
            "or --allow-plaintext"
        )
    return url
