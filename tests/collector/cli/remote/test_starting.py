"""A collector that changes its store first is there: commands say that it starts, and how far it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from collector.__main__ import main
from collector.cli.remote.command import UNREACHABLE
from collector.server.lobby import Lobby
from tests.collector.cli.conftest import Said
from tests.collector.cli.remote.conftest import Terminal

HOW_FAR = "is starting: changing the store to the form of this version, 42% done"
NOBODY = "no collector was started here with this config"


@pytest.fixture
async def lobby() -> AsyncGenerator[Lobby, None]:
    lobby = Lobby("127.0.0.1", 0, None)
    await lobby.open()
    lobby.say("changing the store to the form of this version", 0.42)
    yield lobby
    await lobby.close()


@pytest.fixture
def url(lobby: Lobby) -> str:
    address, port = lobby._server.addresses[0]
    return f"http://{address}:{port}"


@pytest.fixture
def here(tmp_path: Path, url: str) -> Path:
    file = tmp_path / "here.yaml"
    file.write_text(f"collector:\n  listen: {url.removeprefix('http://')}\n  state: state\n")
    return file


async def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Said:
    capsys.readouterr()
    code = await asyncio.to_thread(main, [str(argument) for argument in arguments])
    return Said(code, *capsys.readouterr())


async def test_status_says_that_the_collector_starts_and_how_far_it_is(
    here: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the first start with a newer version there is no token yet; or there is one that holds no more."""
    sentence = f"watchkeeper: the collector at {url} {HOW_FAR}; it goes on by itself, ask again in a moment\n"
    assert await said(capsys, "status", "--config", here) == (UNREACHABLE, "", sentence)
    token = here.parent / "state" / "local.token"
    token.parent.mkdir()
    token.write_text("wk_api_of_before\n")
    assert await said(capsys, "status", "--config", here) == (UNREACHABLE, "", sentence)
    assert await said(capsys, "hosts", "--url", url, "--json") == (UNREACHABLE, "", sentence)


async def test_where_nobody_listens_it_is_said_what_to_do(
    here: Path, lobby: Lobby, capsys: pytest.CaptureFixture[str]
) -> None:
    await lobby.close()
    found = await said(capsys, "status", "--config", here)
    assert (found.code, found.out) == (UNREACHABLE, "")
    assert NOBODY in found.err


async def test_a_collector_of_another_config_is_not_spoken_to_without_a_token(
    terminal: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would let in whoever is on this machine, as it has no user yet."""
    other = tmp_path / "other.yaml"
    other.write_text(f"collector:\n  listen: {terminal.url.removeprefix('http://')}\n  state: elsewhere\n")
    found = await terminal.bare("open", "It smells of smoke", "--config", other)
    assert (found.code, found.out) == (UNREACHABLE, "")
    assert NOBODY in found.err
    assert json.dumps((await terminal.house.ask("/incidents"))["items"]) == "[]"
