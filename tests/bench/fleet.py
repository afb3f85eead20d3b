"""Collectors with many hosts enrolled, and what they are compared with; all of it ended with the Bench that made it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from collector.auth import new_token
from collector.config import PACKS, read_rules
from collector.stores.sqlite import open_store
from rules.judging.engine import Plans
from tests.bench.trace import ticks
from tests.system.harness import Collector, Stage, get
from tests.system.programs import Program, free_port, wait_until

DEFAULT_PACKS = ("hosts", "services", "critical")
ROUNDS, CRASHES = 7, 10


class Settings(Struct, frozen=True):
    """`quick` asks only whether everything works; its figures say nothing."""

    quick: bool = False
    rounds: int = ROUNDS
    crashes: int = CRASHES


@contextmanager
def stage() -> Iterator[Stage]:
    """A place for programs, on a disk rather than in memory where /tmp is that."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-", dir="/var/tmp") as folder:
        stage = Stage(Path(folder))
        try:
            yield stage
        except BaseException:
            print(*stage.logs(), sep="\n", file=sys.stderr)
            raise
        finally:
            stage.end()


def collector(
    stage: Stage,
    hosts: int,
    *,
    rules: Sequence[Mapping[str, Any]] = (),
    channels: Sequence[Mapping[str, Any]] = (),
) -> tuple[Collector, list[str]]:
    """A running collector that judges by the packs of day one, and the token of each of its hosts."""
    settings = {"packs": list(DEFAULT_PACKS), "connections_max": max(4_096, 2 * hosts)}
    made: Collector = stage.collector(rules=rules, channels=channels, settings=settings)
    tokens = asyncio.run(enrolled(made.database.parent, hosts))
    made.start()
    return made, tokens


async def enrolled(state: Path, hosts: int) -> list[str]:
    store = await open_store(state, role="collector")
    try:
        tokens = [new_token() for _ in range(hosts)]
        for number, (token, sha256) in enumerate(tokens):
            await store.hosts.enrol(f"load-{number}", {}, token.id, sha256, 0)
        return [str(token) for token, _ in tokens]
    finally:
        await store.close()


def bound_rules() -> int:
    """How many pairs of a rule and a series are looked at in each batch."""
    rules = [rule for pack in DEFAULT_PACKS for rule in read_rules(PACKS / f"{pack}.yaml")]
    return len(Plans(rules).plan(tuple(ticks()[0].samples), {}).bound)


class Server(Program):
    """Any other program that listens on a port of its own; `ready` is the path that tells when it does."""

    def __init__(self, stage: Stage, name: str, command: Sequence[str], port: int, ready: str) -> None:
        super().__init__(name, command, stage.folder / f"{name}.log")
        self.port = port
        self._ready = f"http://127.0.0.1:{port}{ready}"

    def start(self) -> None:
        super().start()
        wait_until(f"{self.name} to be ready", self._is_ready)

    def _is_ready(self) -> bool:
        assert self.alive, f"{self.name} ended by itself:\n{self.said}"
        return get(self._ready)[0] == 200


def bare(stage: Stage) -> Server:
    port = free_port()
    made: Server = stage.keep(
        Server(stage, "bare", [sys.executable, "-m", "tests.bench.bare", str(port)], port, "/ready")
    )
    made.start()
    return made
