"""The command as a person gives it, beside a whole collector that real agents push to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from collector.__main__ import main
from tests.collector.api.house import Agent, House
from tests.collector.cli.conftest import Said

BUSY, CALM = 97.0, 12.0


class Terminal:
    """`await terminal("status")` runs a command while the collector `house` is at work."""

    def __init__(self, house: House, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.house, self._capsys = house, capsys
        host, port = house.parts.server.addresses[0]
        self.url = f"http://{host}:{port}"
        self.config = house.folder / "here.yaml"
        self.config.write_text(f"collector:\n  listen: {host}:{port}\n  state: state\n{config}\n")

    async def __call__(self, *arguments: str | Path) -> Said:
        """With the config of the collector."""
        return await self.bare(*arguments, "--config", self.config)

    async def bare(self, *arguments: str | Path) -> Said:
        self._capsys.readouterr()
        code = await asyncio.to_thread(_run, [str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Said(code, out, err)

    async def json(self, *arguments: str | Path) -> Any:
        """What a program reads of a command that is well."""
        return self.read(await self(*arguments, "--json"))

    def read(self, said: Said) -> Any:
        assert said.code == 0, said
        return json.loads(said.out)


def _run(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # argparse refuses what it does not understand
        return int(end.code or 0)


@pytest.fixture
def config() -> str:
    """What more stands in the config of the collector."""
    return "  channels: [{kind: log, name: ops}]\n"


@pytest.fixture
async def terminal(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Terminal, None]:
    for name in ("WATCHKEEPER_URL", "WATCHKEEPER_TOKEN", "WATCHKEEPER_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    # Two programs are in this one process, and what the collector logs is not what the command says.
    monkeypatch.setattr("collector.itself.logs.set_up", lambda _format: None)
    async with House(tmp_path, config) as house:
        yield Terminal(house, config, capsys)


@pytest.fixture
async def fleet(terminal: Terminal) -> dict[str, Agent]:
    """Three hosts: one is busy, and an incident says so; one is calm; one was never heard."""
    web = await terminal.house.enrol("web-1", role="web")
    db = await terminal.house.enrol("db-1", role="db")
    cam = await terminal.house.enrol("cam")
    disk = {'disk_used_pct{mount="/"}': 41.0, 'disk_used_pct{mount="/var"}': 64.0}
    check = {"id": "shop", "kind": "http", "state": "bad", "ms": 12.0, "detail": "503 from the shop"}
    await web.push({"cpu_used_pct": BUSY, "memory_used_pct": 55.0, "load1": 3.5, **disk}, checks=[check])
    await db.push({"cpu_used_pct": CALM, "memory_used_pct": 81.0, "load1": 0.25})
    return {"web-1": web, "db-1": db, "cam": cam}
