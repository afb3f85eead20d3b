"""The command `watchkeeper-agent`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

import agent.checks
from agent import clock, heap, logs, once, wire
from agent.calls import Calls
from agent.config import Loaded, need_token, read
from agent.facts import VERSION
from agent.options import ConfigError, discover, findings
from agent.service import Service, leave
from agent.systemd import Systemd

BAD_CONFIG = 2


def main(argv: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    if given and given[0] in ("join", "rotate"):
        from agent import joining  # only here: what runs for months need not hold it

        return joining.main(given, os.environ)
    args = _arguments().parse_args(given)
    if args.command in ("checks", "doctor") or args.once or args.check_config:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whoever reads what we print may have seen enough
    if args.command == "checks":
        print(_kinds())
        return 0
    if args.command == "doctor":
        return _doctor(args.config, as_json=args.json, alive_only=args.alive)
    try:
        loaded = read(args.config, os.environ)
        if args.check_config:
            return _check(loaded)
        if args.once:
            return _once(loaded, as_json=args.json)
        logs.set_up(args.log_format, os.environ)
        if args.command == "bye":
            return _bye(loaded)
        return _run(args.config, loaded)
    except ConfigError as error:
        print(logs.complaint(str(error), os.environ), file=sys.stderr)
        return BAD_CONFIG


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="watchkeeper-agent", description="Samples this host and pushes what it saw to a collector."
    )
    command = (
        "run (the default): sample and push; checks: list what can be checked, with all options; "
        "doctor: say what works here, what does not, and what to do about it; "
        "bye: tell the collector that the agent, which has been stopped, is taken off this host; "
        "join, rotate: see watchkeeper-agent join --help, rotate --help"
    )
    parser.add_argument(
        "command", nargs="?", choices=("run", "checks", "doctor", "bye"), default="run", help=command
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: /etc/watchkeeper/agent.yaml")
    parser.add_argument("--once", action="store_true", help="show what would be sent, send nothing")
    parser.add_argument("--json", action="store_true", help="with --once and doctor: for programs")
    parser.add_argument(
        "--alive", action="store_true", help="with doctor: look whether an agent runs, no more"
    )
    parser.add_argument("--check-config", action="store_true", help="say whether the config is right")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--version", action="version", version=VERSION)
    return parser


def _kinds() -> str:
    """Every kind of check with its help and its options."""
    from agent.options.describe import describe  # only here: what runs for months need not hold it

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


def _doctor(config: Path | None, *, as_json: bool, alive_only: bool) -> int:
    from agent import doctor  # only here: what runs for months need not hold it

    logging.disable()  # what it would say is in the findings
    found = list((doctor.alive if alive_only else doctor.examine)(config, os.environ))
    print(findings.as_json(found) if as_json else findings.as_text(found))
    return findings.exit_code(found)


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


def _bye(loaded: Loaded) -> int:
    if not leave(loaded):
        print(
            "the collector was not told, and will report this host as silent; "
            "say it again once the collector can be reached",
            file=sys.stderr,
        )
        return 1
    print("the collector knows that this host is not watched any more")
    return 0


def _run(config: Path | None, loaded: Loaded) -> int:
    heap.share_one()
    calls = Calls()
    calls.listen()
    service = Service(loaded, lambda: read(config, os.environ), calls, Systemd(os.environ))
    service.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
