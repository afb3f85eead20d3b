"""`watchkeeper-agent`: joins the parts of the agent and runs them."""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import msgspec

import agent.checks
from agent import clock, logs, once, wire
from agent.config import Loaded, need_token, read
from agent.facts import VERSION
from agent.loop import Loop
from agent.options import ConfigError, describe, discover
from agent.post import Post
from agent.pusher import Pusher
from agent.sampler import Sampler
from agent.spool import Limits, Spool, SpoolError

log = logging.getLogger(__name__)

BAD_CONFIG = 2
STOP_S_MAX = 3.0
SPILL_AFTER_MS_MAX = 20_000


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments().parse_args(argv)
    if args.command == "checks" or args.once or args.check_config:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whoever reads what we print may have seen enough
    if args.command == "checks":
        print(_kinds())
        return 0
    try:
        loaded = read(args.config, os.environ)
        if args.check_config:
            return _check(loaded)
        if args.once:
            return _once(loaded, as_json=args.json)
        logs.set_up(args.log_format, os.environ)
        return _run(loaded)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return BAD_CONFIG


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="watchkeeper-agent", description="Samples this host and pushes what it saw to a collector."
    )
    command = "run (the default): sample and push; checks: list what can be checked, with all options"
    parser.add_argument("command", nargs="?", choices=("run", "checks"), default="run", help=command)
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: /etc/watchkeeper/agent.yaml")
    parser.add_argument("--once", action="store_true", help="show what would be sent, send nothing")
    parser.add_argument("--json", action="store_true", help="with --once: show it as it is sent")
    parser.add_argument("--check-config", action="store_true", help="say whether the config is right")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--version", action="version", version=VERSION)
    return parser


def _kinds() -> str:
    """Every kind of check with its help and its options."""
    lines = []
    for kind in discover(agent.checks).values():
        by_default = " Runs by default." if getattr(kind.options, "by_default", False) else ""
        lines += [f"{kind.name}: {kind.help}{by_default}"]
        options = describe(kind.options)
        width = max(len(option.key) for option in options)
        for option in options:
            default = "required" if option.default is None else f"default {option.default}"
            lines.append(f"  {option.key:{width}}  {option.help} ({option.type}, {default})")
        lines.append("")
    return "\n".join(lines).rstrip()


def _check(loaded: Loaded) -> int:
    need_token(loaded)
    folder = next(
        path for path in (loaded.config.state, *loaded.config.state.absolute().parents) if path.exists()
    )
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise loaded.error("state", f"{folder} is no folder that this user can write to")
    names = ", ".join(check.id for check in loaded.checks)
    print(f"{loaded.section.file}: the config is right; {len(loaded.checks)} checks run: {names}")
    return 0


def _once(loaded: Loaded, *, as_json: bool) -> int:
    config = loaded.config
    seen = once.look(loaded.checks, config.labels, config.every_ms, clock.system_clock())
    as_sent = msgspec.json.format(wire.encode(seen.batch), indent=2).decode()
    print(as_sent if as_json else once.text(seen))
    return 0


def _run(loaded: Loaded) -> int:
    config = loaded.config
    token = need_token(loaded)
    now = clock.system_clock()
    limits = Limits(
        bytes_max=config.spool_bytes_max,
        age_ms_max=config.spool_age_ms,
        spill_after_ms=min(2 * config.every_ms, SPILL_AFTER_MS_MAX),
    )
    stop = Stop()
    try:
        spool = Spool(config.state / "spool", limits, now())
    except SpoolError as error:
        raise loaded.error("state", str(error)) from None
    post = Post(config.collector, token.reveal(), str(config.ca or ""), f"watchkeeper-agent/{VERSION}")
    pusher = Pusher(spool, post, config.every_ms, now)
    sampler = Sampler([(c.id, c.kind.name, c.options.timeout_s, c.build()) for c in loaded.checks])
    log.info("watching over this host for %s; %d checks", config.collector, len(loaded.checks))
    pusher.start()
    Loop(sampler, spool, pusher, now, config.every_ms, config.labels).run(stop.wait)
    log.info("stopping")
    spool.flush(now())
    pusher.stop(STOP_S_MAX)
    spool.close()
    sampler.close()
    return 0


class Stop:
    """SIGTERM or SIGINT. The handler only writes a byte: it can meet no lock that the code it interrupts holds."""

    def __init__(self, signals: Sequence[int] = (signal.SIGTERM, signal.SIGINT)) -> None:
        self._asked, self._ask = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in signals:
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        try:
            os.write(self._ask, b".")
        except BlockingIOError:
            return  # asked thousands of times already

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until asked to stop; True if so."""
        return bool(select.select([self._asked], [], [], seconds)[0])


if __name__ == "__main__":
    sys.exit(main())
