"""What is read from the store of this machine and what a collector is asked for is one answer, in one shape."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from tests.collector.cli.remote.conftest import Terminal

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
CONFIG = """\
  services: [{name: shop, title: Web shop, hosts: {where: {role: web}}, objective_pct: 99.5, window: 7d}]
  scaling:
    - {service: shop, where: {role: web}, min: 1, max: 8, targets: {cpu_used_pct: 50}, look_ahead: null}
    - {service: jobs, current: 3, look_ahead: null, hook: {command: ["/bin/true"], dry_run: true}}
  capacity: {prices: {core: 10, gib: 2}}
"""


@pytest.fixture
def config() -> str:
    return CONFIG


@pytest.fixture
async def lived(terminal: Terminal) -> Terminal:
    """Two hosts that were looked at in each respect, and something that was set and switched while it ran."""
    disk = 'disk_used_pct{mount="/"}'
    for number, cpu in enumerate((97.0, 88.0)):
        agent = await terminal.house.enrol(f"web-{number}", ago_s=3_600, role="web")
        await agent.push({"cpu_used_pct": cpu, "memory_used_pct": 20.0, "cpu_steal_pct": 40.0, disk: 80.0})
    await terminal.house.do("PUT", "/config", {"thresholds.uptime_target_pct": 99.99})
    await terminal.house.do("POST", "/scalability/auto-scaling", {"enabled": True, "service": "jobs"})
    parts = terminal.house.parts
    await parts.promised.round()
    await parts.advisor.round()
    await parts.capacity.round()
    return terminal


def differences(here: Any, there: Any, where: str = "answer") -> list[str]:
    """Where two answers of about the same moment are not the same."""
    if isinstance(here, dict) and isinstance(there, dict):
        unshared = [f"{where}.{key}: in one of them alone" for key in here.keys() ^ there.keys()]
        return unshared + [
            found
            for key in here.keys() & there.keys()
            for found in differences(here[key], there[key], f"{where}.{key}")
        ]
    if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        pairs = enumerate(zip(here, there, strict=True))
        return [found for place, pair in pairs for found in differences(*pair, f"{where}[{place}]")]
    if isinstance(here, str) and isinstance(there, str) and MOMENT.match(here) and MOMENT.match(there):
        return []
    if type(here) is type(there) and isinstance(here, int | float) and where.endswith(("_ms", "_pct")):
        return (
            [] if math.isclose(here, there, rel_tol=0.01, abs_tol=60_000) else [f"{where}: {here}, {there}"]
        )
    return [] if here == there else [f"{where}: {here!r}, {there!r}"]


@pytest.mark.parametrize("command", ["sla", "sla --window 24h", "capacity", "advise", "advise --host web-1"])
async def test_programs_read_the_same_with_a_collector_and_without(lived: Terminal, command: str) -> None:
    here = await lived.json(*command.split())
    asked = await lived.bare(*command.split(), "--json", "--url", lived.url)
    assert differences(here, lived.read(asked)) == []


async def test_what_was_set_and_switched_while_it_ran_is_known_without_it(lived: Terminal) -> None:
    assert (await lived.json("sla"))["uptime_target_pct"] == 99.99
    found = await lived.json("advise")
    jobs, shop = found["services"]
    assert (jobs["auto"], jobs["hook"], jobs["dry_run"]) == (True, "command", True)
    assert (shop["direction"], shop["current"], shop["wanted"]) == ("up", 2, 4)
    assert shop["evidence"][0]["metric"] == "cpu_used_pct"
    assert [host["name"] for host in found["hosts"]] == ["web-0", "web-1"]
    assert found["hosts"][0]["bottlenecks"]
