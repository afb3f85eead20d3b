"""The command `watchkeeper`: runs the collector, and hands to every other command what it needs of it.

Exit codes: 0 well, 1 it failed or was refused, 2 a mistake in config or arguments, 3 no collector answered.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry

from agent.options import ConfigError
from collector import config as settings
from collector.app import Collector, answers, caretaker, now_ms, open_state
from collector.app.access import check_access, desk
from collector.app.advice import Counsel
from collector.app.joining import codes
from collector.app.promises import accounts
from collector.cli import (
    House,
    add_config,
    backup,
    capacity,
    completion,
    doctor,
    hosts,
    jobs,
    joins,
    notify,
    rules,
    scale,
    simulate,
    size,
    sla,
    store,
    tokens,
    top,
    up,
    users,
)
from collector.cli.groups import grouped
from collector.cli.parser import Parser
from collector.cli.remote import hosts as fleet
from collector.cli.remote import incidents, notices, silences, status
from collector.itself import heap, logs
from collector.itself.service import Service
from collector.server import ServerError
from collector.store import StoreError
from collector.who import Refusal
from collector.wording import load_wording
from rules.words import counted

log = logging.getLogger("collector")


def _look_over(loaded: settings.Loaded) -> int:
    """See that all of the config is right, also what is used later; how many rules hold. ConfigError."""
    held = settings.load_rules(loaded)
    check_access(loaded)
    load_wording(loaded, CollectorRegistry())
    return len(held)


HOUSE = House(
    load=lambda file: settings.load(file, os.environ),
    look_over=_look_over,
    open_store=lambda loaded: open_state(loaded, role="tool"),
    caretaker=caretaker,
    desk=lambda people, loaded: desk(people, loaded, now_ms),
    codes=lambda store, loaded: codes(store, loaded, now_ms),
    accounts=accounts,
    counsel=lambda store, loaded: Counsel(store, loaded, now_ms),
    sla=lambda store, loaded, window: answers.sla(store, loaded, window, now_ms),
    analysis=lambda store, loaded, hosts, looking: answers.analysis(store, loaded, hosts, looking, now_ms),
    now_ms=now_ms,
    run=uvloop.run,
)
TOOLS = (
    hosts,
    joins,
    users,
    tokens,
    rules,
    notify,
    jobs,
    doctor,
    backup,
    store,
    size,
    sla,
    capacity,
    scale,
    simulate,
)
"""What works on this machine's config and store."""
ASKING = (status, top, fleet, incidents, silences, notices)
"""What asks a collector, here or elsewhere."""
VERSION = "0.1.0"
GARBAGE_LOOKED_FOR_AFTER = 20_000
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    logs.set_up(arguments.log_format)
    try:
        return int(arguments.command(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ConfigError, ValueError, Refusal) as mistake:
        print(logs.complaint(f"watchkeeper: {mistake}"), file=sys.stderr)
        return 2
    except (StoreError, ServerError) as trouble:
        print(logs.complaint(f"watchkeeper: {trouble}{_without_config(arguments)}"), file=sys.stderr)
        return 2 if isinstance(trouble, StoreError) and not trouble.passing else 1


def _without_config(arguments: argparse.Namespace) -> str:
    """Whoever forgot --config looks at a folder that they never named."""
    if getattr(arguments, "config", "") is None and not settings.DEFAULT_FILE.exists():
        return f". There is no {settings.DEFAULT_FILE}; --config names another"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="watchkeeper",
        usage="watchkeeper [--log-format text|json] COMMAND …",
        description="Watchkeeper's collector and its tools.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", prog="watchkeeper", help=argparse.SUPPRESS
    )

    serve = commands.add_parser("serve", help="run the collector")
    add_config(serve)
    serve.add_argument("--check-config", action="store_true", help="say whether the config is right, and end")
    serve.set_defaults(command=_serve)

    both = commands.add_parser("up", help="run a collector and an agent for this host, on loopback")
    both.add_argument("--dir", type=Path, default=up.DIR, help="where it keeps its things")
    both.add_argument("--port", type=int, help="another port than the config's (8420)")
    both.set_defaults(command=_up)

    for command in (*TOOLS, *ASKING):
        command.add_to(commands, HOUSE)
    completion.add_to(commands, parser)
    parser.epilog = grouped(commands)
    return parser


# --- serve ------------------------------------------------------------------------------------------------------------


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.check_config:
        loaded = HOUSE.load(arguments.config)
        rules = counted(_look_over(loaded), "rule")
        channels = counted(len(loaded.config.channels), "channel")
        print(f"The config is right: {rules}, {channels}.")
        return 0
    heap.hold_little()
    collector = Collector(lambda: HOUSE.load(arguments.config), Service(os.environ))
    return HOUSE.run(_until_told_to_stop(collector, beside=None))


async def _until_told_to_stop(
    collector: Collector, beside: Callable[[], Coroutine[Any, Any, None]] | None
) -> int:
    """Run the collector, and what is to run beside it, until SIGTERM or SIGINT; SIGHUP reloads.

    What runs beside ends only by an error, and that ends all and is raised here.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(signal.SIGHUP, collector.reload)
    await collector.start()
    _look_for_garbage_seldom()
    reasons = [asyncio.create_task(coroutine) for coroutine in (told.wait(), *([beside()] if beside else []))]
    await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
    log.info("Stopping: what was taken in is kept and told.")
    for reason in reasons:
        reason.cancel()
    ends = await asyncio.gather(*reasons, return_exceptions=True)
    await collector.stop()
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return 0


def _look_for_garbage_seldom() -> None:
    """Python looks through the newest objects after every 700, by default: ten times in a second of a busy fleet's
    pushes, and an eighth of what they cost, to find nothing, as none of them is in a circle."""
    gc.collect()
    gc.freeze()  # what was loaded and read until now stays
    gc.set_threshold(GARBAGE_LOOKED_FOR_AFTER)


# --- up ---------------------------------------------------------------------------------------------------------------


def _up(arguments: argparse.Namespace) -> int:
    folder = up.Folder(arguments.dir)
    environ = dict(os.environ)
    if arguments.port is not None:
        environ[up.LISTEN_VARIABLE] = up.listen_on(arguments.port)

    def load() -> settings.Loaded:
        return settings.load(folder.collector_config, environ)

    loaded = load()
    listen = loaded.config.listen
    if not up.is_loopback(loaded.config.address[0]):
        raise ValueError(
            f"`up` serves this host alone, and {listen} is not on loopback. To serve others: "
            f"watchkeeper serve --config {folder.collector_config}"
        )
    heap.hold_little()
    collector = Collector(load, Service(os.environ))
    url = f"http://{listen}"
    said = up.words(url, folder, arguments.port)
    return HOUSE.run(_up_together(collector, url, folder, said, arguments.log_format))


async def _up_together(collector: Collector, url: str, folder: up.Folder, said: str, log_format: str) -> int:
    """The collector, and an agent beside it that is enrolled when there is no token for it yet."""

    async def agent() -> None:
        if not folder.has_token:
            token, _ = await hosts.enrol(collector.store, socket.gethostname(), {}, now_ms)
            folder.keep_token(token)
        print(said, flush=True)
        await up.keep_agent_running(folder.agent_config, url, log_format)

    return await _until_told_to_stop(collector, beside=agent)


if __name__ == "__main__":
    sys.exit(main())
