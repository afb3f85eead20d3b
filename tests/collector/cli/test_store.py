"""`watchkeeper store check`, as a person or a program gives it."""

from __future__ import annotations

import json
from pathlib import Path

from collector.stores.sqlite import open_store
from tests.collector.cli.conftest import Command
from tests.collector.stores.builders import NOW, batch


async def lived_in(state: Path, hosts: int = 2) -> None:
    store = await open_store(state, role="collector")
    for number in range(hosts):
        host = await store.hosts.enrol(f"web-{number}", {}, f"{number:012}", b"s" * 32, NOW)
        await store.commit([batch(host.id, NOW + tick, {"a": 1.0, "b": 2.0}) for tick in range(1_500)])
    await store.close()


async def test_a_person_reads_that_it_is_sound_and_what_takes_how_much(
    state: Path, watchkeeper: Command
) -> None:
    await lived_in(state)
    said = watchkeeper("store", "check")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == f"{state}/watchkeeper.db is sound: every page of it was read."
    assert lines[2] == "2 hosts, 0 incidents, 0 alerts, 0 transitions, 0 notices"
    assert " MiB on disk, of which 0.0 MiB are empty" in lines[3]
    fresh = next(line for line in lines if line.startswith("fresh, as they came"))
    assert fresh.split()[4:6] == ["3,000", "6,000"]
    assert fresh.endswith("2027-01-15 08:00  2027-01-15 08:00")
    web = [line.split()[:3] for line in lines if line.startswith("web-")]
    assert web == [["web-0", "1,500", "3,000"], ["web-1", "1,500", "3,000"]]


async def test_a_program_reads_all_of_it(state: Path, watchkeeper: Command) -> None:
    await lived_in(state, hosts=30)
    said = watchkeeper("store", "check", "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert found["damage"] == []
    contents = found["contents"]
    assert [tier["name"] for tier in contents["tiers"]] == ["fresh", "packed", "rollups"]
    assert contents["tiers"][0]["newest_at"] == "2027-01-15T08:00:01.499000Z"
    assert contents["tiers"][0]["bytes_per_sample"] > 8
    assert len(contents["hosts"]) == 30
    assert "and 10 more that take less" in watchkeeper("store", "check").out


async def test_damage_ends_with_one_and_says_what_to_do(state: Path, watchkeeper: Command) -> None:
    await lived_in(state)
    (state / "watchkeeper.db").write_bytes(b"hello\n" * 10_000)
    said = watchkeeper("store", "check")
    assert said.code == 1
    assert said.out.startswith(f"{state}/watchkeeper.db is damaged:\n  file is not a database\n")
    assert "watchkeeper restore FILE" in said.out
    said = watchkeeper("store", "check", "--json")
    assert said.code == 1
    assert json.loads(said.out)["contents"] is None


def test_where_there_is_no_store_it_is_said(watchkeeper: Command) -> None:
    said = watchkeeper("store", "check")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("watchkeeper: there is no store in ")
