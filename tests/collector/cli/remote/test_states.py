"""How a host stands is one word, whichever face says it: API, commands, pages and metrics."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.collector.cli.remote.conftest import Terminal

STATES = {
    "calm": "heard",
    "gone": "silent",
    "back-soon": "restarting",
    "off": "stopped",
    "new": "never_heard",
}
ON_PAGES = {"heard": "up", "stopped": "stopped (planned)", "never_heard": "never heard"}
"""What pages say, where that is another word."""


@pytest.fixture
async def hosts(terminal: Terminal) -> dict[str, int]:
    """The number of a host in each state."""
    agents = {name: await terminal.house.enrol(name) for name in STATES}
    await agents["gone"].push({"cpu_used_pct": 1.0}, every_ms=100)
    await agents["calm"].push({"cpu_used_pct": 1.0}, every_ms=600_000)
    await agents["back-soon"].push({"cpu_used_pct": 1.0}, bye="restart")
    await agents["off"].push({"cpu_used_pct": 1.0}, bye="shutdown")
    async with asyncio.timeout(20):
        while (await terminal.house.ask(f"/hosts/{agents['gone'].id}"))["host"]["state"] != "silent":
            await asyncio.sleep(0.1)
    return {name: agent.id for name, agent in agents.items()}


async def page(terminal: Terminal, path: str) -> str:
    """Its words alone."""
    said = await terminal.house.send("GET", path)
    assert said.status == 200, said
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", said.body.decode()))


async def counted(terminal: Terminal) -> dict[str, int]:
    """How many hosts /metrics has in each state."""
    metrics = (await terminal.house.send("GET", "/metrics")).body.decode()
    found = re.findall(r'^watchkeeper_hosts\{state="(\w+)"\} (\d+)', metrics, re.MULTILINE)
    return {state: int(count) for state, count in found}


async def test_a_hosts_state_is_the_same_on_every_face(terminal: Terminal, hosts: dict[str, int]) -> None:
    listed = (await terminal.house.ask("/hosts"))["items"]
    assert {host["name"]: host["state"] for host in listed} == STATES
    for name, state in STATES.items():
        found = await terminal.house.ask(f"/hosts?state={state}")
        assert [host["name"] for host in found["items"]] == [name]
        assert (await terminal.house.ask(f"/hosts/{hosts[name]}"))["host"]["state"] == state
        word = "never" if state == "never_heard" else state
        shown = await terminal("hosts", "--state", word)
        assert [line.split()[:2] for line in shown.out.splitlines()[1:]] == [[name, word]]
        assert f"{name} {ON_PAGES.get(state, state)} " in await page(terminal, f"/hosts/{hosts[name]}")
    one_of_each = dict.fromkeys(STATES.values(), 1)
    assert (await terminal.house.ask("/health"))["hosts"] == one_of_each
    async with asyncio.timeout(20):  # the judge looks for new hosts every few seconds
        while await counted(terminal) != one_of_each:
            await asyncio.sleep(0.1)
    overview = await page(terminal, "/")
    assert "1 of 5 hosts fine" in overview.replace("\N{NO-BREAK SPACE}", " ")
    for name, state in STATES.items():
        assert re.search(rf"\b{name} {re.escape(ON_PAGES.get(state, state))}", overview), (name, overview)
