"""Where simulated hosts get their tokens: they are enrolled in the store beside the collector, or read from a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agent.wire import Token, parse_token
from collector.auth import new_token
from collector.cli import House
from collector.cli.progress import Progress
from collector.config import Loaded

LABELS = {"simulated": "yes"}
"""So that rules can leave them out, or be about them alone."""


def name_of(number: int) -> str:
    return f"sim-{number + 1:04}"


async def enrol(house: House, loaded: Loaded, count: int, progress: Progress) -> list[Token]:
    """A fresh token for each of the hosts sim-0001 and so on; those that are not there yet are enrolled."""
    async with house.store(loaded) as store:
        known = {host.name: host.id for host in await store.hosts.all()}
        tokens: list[Token] = []
        for number in range(count):
            progress("enrolling", number / count)
            name, (token, sha256) = name_of(number), new_token()
            if name in known:
                await store.hosts.add_token(known[name], token.id, sha256, house.now_ms())
            else:
                await store.hosts.enrol(name, LABELS, token.id, sha256, house.now_ms())
            tokens.append(token)
        return tokens


async def revoke(house: House, loaded: Loaded, tokens: Sequence[Token], progress: Progress) -> None:
    async with house.store(loaded) as store:
        for number, token in enumerate(tokens):
            progress("revoking", number / len(tokens))
            await store.hosts.revoke(token.id, house.now_ms())


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
