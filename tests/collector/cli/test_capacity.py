"""`watchkeeper capacity` and `watchkeeper advise`, over a real store."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from collector.store.advice import Advised
from collector.stores.sqlite import open_store
from tests.collector.cli.conftest import Command
from tests.collector.stores.builders import batch

HOUR, DAY = 3_600_000, 86_400_000
DATA = 'disk_used_pct{mount="/data"}'


async def live(state: Path) -> None:
    """One host whose disk fills by 1 % a day and is at 85, idle and held back; one that is well; words on a service."""
    store = await open_store(state, role="collector")
    now = time.time_ns() // 1_000_000
    idle = {"cpu_used_pct": 3.0, "memory_used_pct": 10.0}
    for name, per_day, more in (("db", 1.0, {**idle, "cpu_steal_pct": 40.0}), ("web", 0.0, {})):
        host = await store.hosts.enrol(name, {}, f"token-{name}", b"s" * 32, now - 40 * DAY)
        await store.commit(
            [
                batch(
                    host.id,
                    now + hour * HOUR,
                    {DATA: 85 + per_day * hour / 24, **more},
                    seq=hour + 5_000,
                    every_ms=HOUR,
                )
                for hour in range(-30 * 24, 0)
            ]
        )
    await store.advice.say(Advised("shop", now, now, "up", 2, 4, 2, 0.9, "cpu is at 96 %"))
    await store.close()


@pytest.fixture
def lived(state: Path, tmp_path: Path, watchkeeper: Command) -> Command:
    asyncio.run(live(state))
    config = tmp_path / "collector.yaml"
    config.write_text(
        config.read_text()
        + "  scaling:\n    - service: shop\n      current: 2\n"
        + "  capacity: {prices: {core: 10, gib: 2}}\n"
    )
    return watchkeeper


def test_what_will_be_full_is_listed_the_soonest_first(lived: Command) -> None:
    said = lived("capacity")
    assert said.code == 0
    head, row = said.out.splitlines()
    assert head.split() == ["HOST", "WHAT", "NOW", "A", "DAY", "FULL", "IN", "BETWEEN", "WHY"]
    assert row.startswith(f"db    {DATA}")
    assert "15 d" in row
    assert "it will be at the limit in about 15 days" in row


def test_all_shows_what_will_not_be_full_as_well(lived: Command) -> None:
    said = lived("capacity", "--all")
    assert len(said.out.splitlines()) == 4
    assert "it hardly changes" in said.out


def test_one_host(lived: Command) -> None:
    said = lived("capacity", "--host", "web")
    assert said.out == "Nothing of 1 is going to be full, as far as can be seen.\n"
    assert lived("capacity", "--host", "nobody").code == 2
    assert "did you mean web?" in lived("capacity", "--host", "wbe").err


def test_for_programs(lived: Command) -> None:
    hosts = json.loads(lived("capacity", "--json").out)["hosts"]
    assert [host["name"] for host in hosts] == ["db", "web"]
    assert hosts[0]["fills"][0]["outlook"] == "fills"


def test_advice_is_what_to_change_and_why(lived: Command) -> None:
    said = lived("advise")
    assert said.code == 0
    assert "shop: up, 2 to 4, as of" in said.out
    assert "  cpu is at 96 % (sure to 90%)" in said.out
    assert "db:\n  the hypervisor gave 40 % of the processors' time to others" in said.out
    assert "web:" not in said.out
    found = json.loads(lived("advise", "--json").out)
    assert found["services"][0]["wanted"] == 4


@pytest.mark.parametrize("command", ["advise", "capacity"])
def test_without_hosts_it_says_how_to_add_one(watchkeeper: Command, command: str) -> None:
    assert watchkeeper(command).out.startswith("No host was heard yet; add one")
