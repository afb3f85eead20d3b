"""`watchkeeper doctor`: what is configured, what of it works, and what to do about the rest."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

from agent.options import ConfigError
from agent.options.findings import Finding, as_json, as_text, exit_code
from collector.cli import Commands, House, add_config
from collector.cli.doctor import door, fleet, folder, shown
from collector.config import Loaded
from collector.store import StoreError
from rules.words import counted

WORLD_READABLE = 0o004
CLOCK = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
CLOCK_TIMEOUT_S = 10


def add_to(commands: Commands, house: House) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="what works, what does not, and what to do about it? (a collector may be at work)",
        description="Ends with 0 when all is well, 1 when something is to be looked at, 2 when something is bad.",
    )
    doctor.add_argument("--alive", action="store_true", help="look whether a collector answers here, no more")
    doctor.add_argument("--json", action="store_true", help="for programs")
    add_config(doctor)
    doctor.set_defaults(command=partial(_doctor, house))


def _doctor(house: House, arguments: argparse.Namespace) -> int:
    async def run() -> int:
        look = alive if arguments.alive else examine
        found = [finding async for finding in look(house, arguments.config)]
        print(as_json(found) if arguments.json else as_text(found))
        return exit_code(found)

    return house.run(run())


async def examine(house: House, config: Path | None) -> AsyncIterator[Finding]:
    """Look at one thing after the other. Nothing is changed, and nobody is sent a message."""
    try:
        loaded = house.load(config)
        rules = house.look_over(loaded)
    except ConfigError as mistake:
        yield Finding(
            "config", "bad", str(mistake), "put it right, then: systemctl restart watchkeeper-collector"
        )
        return
    yield _config(loaded, rules)
    for finding in (
        *_clock(),
        *folder.look(loaded, house.caretaker(loaded)),
        *shown.look(loaded, house.now_ms()),
    ):
        yield finding
    facts = door.Facts()
    async for finding in door.look(loaded, facts):
        yield finding
    if not loaded.state.is_dir():
        return
    try:
        async with house.store(loaded) as store:
            async for finding in fleet.look(store, loaded, facts, house.now_ms()):
                yield finding
    except (ConfigError, StoreError) as trouble:
        yield Finding("store", "bad", str(trouble))


async def alive(house: House, config: Path | None) -> AsyncIterator[Finding]:
    """Whether a collector answers where this config says: cheap enough to be asked every minute. ConfigError."""
    yield await door.ready(house.load(config))


def _config(loaded: Loaded, rules: int) -> Finding:
    file = Path(loaded.section.file)
    words = f"{file}: {counted(rules, 'rule')}, {counted(len(loaded.config.channels), 'channel')}"
    if file.exists() and file.stat().st_mode & WORLD_READABLE and loaded.config.channels:
        do = f"chgrp watchkeeper {file}; chmod 640 {file}"
        return Finding("config", "look", f"{words}; everybody on this machine can read its secrets", do)
    return Finding("config", "ok", words)


def _clock() -> Iterator[Finding]:
    """Whether something keeps this machine's clock, as systemd sees it; nothing where it cannot be asked."""
    try:
        said = subprocess.run(  # noqa: S603 - the words are ours
            CLOCK, capture_output=True, text=True, timeout=CLOCK_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    match said.stdout.strip():
        case "yes":
            yield Finding("clock", "ok", "a program keeps it in step with the world's time")
        case "no":
            words = "nothing keeps it in step with the world's time, by which all agents are judged"
            yield Finding("clock", "look", words, "apt-get install systemd-timesyncd (or chrony)")
