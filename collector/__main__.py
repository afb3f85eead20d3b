"""The command `watchkeeper`: serve, up, host. Exit codes: 0 well, 1 it failed, 2 a mistake in config or arguments."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from agent.options import ConfigError
from collector import config as settings
from collector import logs
from collector.app import Collector, now_ms
from collector.auth import new_token
from collector.cli import hosts, up
from collector.config import CollectorConfig
from collector.server import ServerError
from collector.store import StoreError
from collector.stores.sqlite import open_store

log = logging.getLogger("collector")


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    logs.set_up(arguments.log_format)
    try:
        return int(arguments.command(arguments))
    except (ConfigError, ValueError) as mistake:
        print(f"watchkeeper: {mistake}", file=sys.stderr)
        return 2
    except (StoreError, ServerError) as trouble:
        print(f"watchkeeper: {trouble}", file=sys.stderr)
        return 2 if isinstance(trouble, StoreError) and not trouble.passing else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="watchkeeper", description="Watchkeeper's collector and its tools.")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the collector")
    _add_config(serve)
    serve.add_argument("--check-config", action="store_true", help="say whether the config is right, and end")
    serve.set_defaults(command=_serve)

    both = commands.add_parser("up", help="run a collector and an agent for this host, on loopback")
    both.add_argument("--dir", type=Path, default=Path(".watchkeeper"), help="where it keeps its things")
    both.add_argument("--port", type=int, help="another port than the config's (8420)")
    both.set_defaults(command=_up)

    host = commands.add_parser("host", help="enrol hosts").add_subparsers(required=True, metavar="COMMAND")
    add = host.add_parser("add", help="enrol a host and print its agent's config, token included")
    add.add_argument("name", type=_argument(hosts.parse_name))
    add.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    _add_config(add)
    add.set_defaults(command=_host_add)
    listing = host.add_parser("list", help="the enrolled hosts")
    _add_config(listing)
    listing.set_defaults(command=_host_list)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help=f"default: {settings.DEFAULT_FILE}")


def _argument(parse: Callable[[str], str]) -> Callable[[str], str]:
    """A parser whose ValueError argparse repeats to the person, instead of its own 'invalid value'."""

    def wrapped(text: str) -> str:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return wrapped


# --- serve ------------------------------------------------------------------------------------------------------------


def _serve(arguments: argparse.Namespace) -> int:
    config = settings.load(arguments.config, os.environ)
    folder = (arguments.config or settings.DEFAULT_FILE).parent
    if arguments.check_config:
        rules = settings.load_rules(config, folder)
        print(f"The config is right: {len(rules)} rules, {len(config.channels)} channels.")
        return 0
    return _run(_until_told_to_stop(Collector(config, folder), beside=None))


async def _until_told_to_stop(
    collector: Collector, beside: Callable[[], Coroutine[Any, Any, None]] | None
) -> int:
    """Run the collector, and what is to run beside it, until SIGTERM or SIGINT; SIGHUP reads the rules anew."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    await collector.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(signal.SIGHUP, collector.reload)
    companion = asyncio.create_task(beside()) if beside else None
    await told.wait()
    log.info("Stopping: what was taken in is being kept and told.")
    if companion:
        companion.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await companion
    await collector.stop()
    return 0


def _run(coroutine: Coroutine[Any, Any, int]) -> int:
    return uvloop.run(coroutine)


# --- up ---------------------------------------------------------------------------------------------------------------


def _up(arguments: argparse.Namespace) -> int:
    folder = up.Folder(arguments.dir)
    environ = dict(os.environ)
    if arguments.port is not None:
        environ["WATCHKEEPER_COLLECTOR__LISTEN"] = f"127.0.0.1:{arguments.port}"
    config = settings.load(folder.collector_config, environ)
    if not up.is_loopback(config.address[0]):
        raise ValueError(
            f"`up` serves this host alone; {config.listen} is not on loopback. Use `watchkeeper serve`."
        )
    return _run(_up_together(config, folder, arguments.log_format))


async def _up_together(config: CollectorConfig, folder: up.Folder, log_format: str) -> int:
    collector = Collector(config, folder.collector_config.parent)

    async def agent() -> None:
        if not folder.has_token:
            token = new_token()
            await hosts.enrol(collector.store.hosts, socket.gethostname(), {}, token, now_ms())
            folder.keep_token(token[0])
        folder.write_agent_config(f"http://{config.listen}")
        print(f"Watchkeeper watches this host: http://{config.listen}  (Ctrl-C ends it)", flush=True)
        await up.keep_agent_running(folder.agent_config, log_format)

    return await _until_told_to_stop(collector, beside=agent)


# --- host -------------------------------------------------------------------------------------------------------------


def _host_add(arguments: argparse.Namespace) -> int:
    config = settings.load(arguments.config, os.environ)
    labels = hosts.parse_labels(arguments.label)

    async def add() -> int:
        token = new_token()
        store = await open_store(Path(config.state), role="tool")
        try:
            await hosts.enrol(store.hosts, arguments.name, labels, token, now_ms())
        finally:
            await store.close()
        print(hosts.agent_config(config.link_base, token[0]), end="")
        return 0

    return _run(add())


def _host_list(arguments: argparse.Namespace) -> int:
    config = settings.load(arguments.config, os.environ)

    async def show() -> int:
        store = await open_store(Path(config.state), role="tool")
        try:
            print(hosts.table(await store.hosts.all(), now_ms()))
        finally:
            await store.close()
        return 0

    return _run(show())


if __name__ == "__main__":
    sys.exit(main())
