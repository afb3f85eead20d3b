"""The command as a person gives it, over a real store and in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.__main__ import main
from collector.stores.sqlite import open_store


class Said(NamedTuple):
    """What a command said, on each of its two ways out, and the exit code it ended with."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]
Enrolled = Callable[[], dict[str, dict[str, str]]]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command sets up the logging of its whole process, and here on a stderr that is there for one test only."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def watchkeeper(tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """`watchkeeper(...)` with a config whose state is the folder `state`, and that has nothing to install, whatever
    `make bundle` has made here, until a test puts it into `bundles`."""
    config = tmp_path / "collector.yaml"
    config.write_text(f"collector:\n  state: {state}\n  bundles: bundles\n")

    def command(*arguments: str | Path) -> Said:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in (*arguments, "--config", config)])
        except SystemExit as end:  # argparse refuses what it does not understand
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return command


@pytest.fixture
def enrolled(state: Path) -> Enrolled:
    """The names of the hosts that the store holds, each with its labels."""

    async def read() -> dict[str, dict[str, str]]:
        store = await open_store(state, role="tool")
        hosts = {host.name: host.labels for host in await store.hosts.all()}
        await store.close()
        return hosts

    return lambda: asyncio.run(read())
