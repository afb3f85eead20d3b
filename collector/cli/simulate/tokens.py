"""Where simulated hosts get their tokens: they are enrolled in the store beside the collector, or read from a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agent.wire import Token, parse_token
from collector.cli import House
from collector.cli.desk import at_this_shell
from collector.cli.hosts import desk_of
from collector.cli.progress import Progress
from collector.config import Loaded
from rules.model import Host

LABELS = {"simulated": "yes"}
"""So that rules can leave them out, or be about them alone."""


def name_of(number: int) -> str:
    return f"sim-{number + 1:04}"


async def enrol(house: House, loaded: Loaded, count: int, progress: Progress) -> list[tuple[Host, Token]]:
    """A fresh token for each of the hosts sim-0001 and so on; those that are not there yet are enrolled."""
    async with house.store(loaded) as store:
        desk, who = desk_of(store, house.now_ms), at_this_shell()
        known = {host.name: host for host in await store.hosts.all()}
        enrolled: list[tuple[Host, Token]] = []
        for number in range(count):
            progress("enrolling", number / count)
            host = known.get(name_of(number))
            if host is not None:
                enrolled.append((host, await desk.enrol_again(who, host)))
            else:
                enrolled.append(await desk.enrol(who, name_of(number), LABELS))
        return enrolled


async def revoke(
    house: House, loaded: Loaded, enrolled: Sequence[tuple[Host, Token]], progress: Progress
) -> None:
    async with house.store(loaded) as store:
        desk, who = desk_of(store, house.now_ms), at_this_shell()
        for number, (host, token) in enumerate(enrolled):
            progress("revoking", number / len(enrolled))
            await desk.end_token(who, host, token)


def write(file: Path, tokens: Sequence[Token]) -> None:
    """For their owner's eyes only. ValueError when it cannot be written."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ValueError(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as out:
        out.writelines(f"{token}\n" for token in tokens)


def read(file: Path) -> list[Token]:
    """One a line. ValueError names what is wrong, and never repeats what should be a token."""
    try:
        lines = file.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    tokens = []
    for number, line in enumerate(lines, 1):
        try:
            tokens.append(parse_token(line))
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {error}") from None
    if not tokens:
        raise ValueError(f"{file} is empty")
    return tokens
