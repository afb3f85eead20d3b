"""What a fleet will need is what a store takes that such a fleet has lived in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collector.cli import size
from collector.cli.simulate import trace
from collector.cli.size import Fleet, need_of
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from tests.collector.cli.conftest import Command
from tests.collector.stores.builders import DAY, HOUR, NOW, batch, enrolled

START = NOW - NOW % DAY
HOURS = 26
HOSTS = 3
FAR_OFF = 0.35
"""How far a figure may lie from what a trace other than yours takes."""


def nobody(_what: str, _share: float | None) -> None:
    """Told of everything, does nothing."""


async def lived_in(state: Path, every_s: int) -> int:
    """A store that hosts have pushed the packaged trace to for a day and two hours; how many series each has."""
    ticks = [
        {name: float("nan") if value is None else value for name, value in tick.samples.items()}
        for tick in trace.read(trace.PACKAGED)
    ]
    store = await open_store(state, role="collector")
    hosts = [(await enrolled(store, f"sim-{number}")).id for number in range(HOSTS)]
    every_ms = every_s * 1000
    for hour in range(HOURS):
        times = range(START + hour * HOUR, START + (hour + 1) * HOUR, every_ms)
        await store.commit(
            [
                batch(host, at, ticks[(host * 97 + at // every_ms) % len(ticks)], every_ms=every_ms)
                for at in times
                for host in hosts
            ]
        )
        if hour == 0:
            fresh = SqliteCaretaker(state).check(nobody).contents
            assert fresh is not None
            expected = need_of(Fleet(HOSTS, len(ticks[0]), every_s), HOUR / 1000, 0)
            per_hour = expected.fresh / (size.FRESH_S / 3600)
            assert fresh.tiers[0].bytes == pytest.approx(per_hour, rel=FAR_OFF)
    while await store.seal(START + (HOURS + 2) * HOUR):
        pass
    await store.close()
    return len(ticks[0])


@pytest.mark.parametrize("every_s", [30, 60])
async def test_the_disk_is_about_as_large_as_it_was_said_to_be(state: Path, every_s: int) -> None:
    series = await lived_in(state, every_s)
    inside = SqliteCaretaker(state).check(nobody).contents
    assert inside is not None
    _, packed, rollups = inside.tiers
    need = need_of(Fleet(HOSTS, series, every_s), HOURS * 3600, 86_400)
    assert packed.bytes == pytest.approx(need.packed, rel=FAR_OFF)
    assert rollups.rows == HOSTS
    assert rollups.bytes == pytest.approx(need.rollups, rel=FAR_OFF)


def test_what_is_needed_grows_with_what_is_kept() -> None:
    once = need_of(Fleet(100, 70, 10), 14 * 86_400, 400 * 86_400)
    twice = need_of(Fleet(100, 70, 10), 28 * 86_400, 800 * 86_400)
    assert (twice.packed, twice.rollups) == (2 * once.packed, 2 * once.rollups)
    assert (twice.memory, twice.fresh) == (once.memory, once.fresh)
    more = need_of(Fleet(200, 70, 10), 14 * 86_400, 400 * 86_400)
    assert more.disk - size.SPARE_BYTES == pytest.approx(2 * (once.disk - size.SPARE_BYTES))
    seldom = need_of(Fleet(100, 70, 60), 14 * 86_400, 400 * 86_400)
    assert seldom.fresh == pytest.approx(once.fresh / 6, abs=1)
    assert once.packed / 6 < seldom.packed < once.packed / 2  # what each hour costs stays


def test_a_person_reads_what_it_is_for_and_whether_there_is_room(watchkeeper: Command) -> None:
    said = watchkeeper("size", "--hosts", "1000", "--interval", "10s", "--series", "70")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "1,000 hosts × 70 series every 10s: 100.0 pushes and 7,000 samples a second"
    assert lines[1].endswith("hosts at rest take half of the disk.")
    assert [line.split()[0] for line in lines[3:9]] == [
        "memory",
        "disk",
        "fresh",
        "packed",
        "rollups",
        "spare",
    ]
    assert "all other samples, kept for 14d, 0.8 bytes each" in lines[6]
    assert "quarters of an hour, kept for 400d" in lines[7]
    assert lines[10].startswith("The disk that is to hold ")
    said = watchkeeper("size", "--hosts", "1000000", "--keep", "3650d")
    assert "kept for 3650d" in said.out
    assert said.out.endswith("That is not enough; keep less for a shorter time, or set disk_budget.\n")


def test_a_budget_that_is_too_small_is_said(tmp_path: Path, watchkeeper: Command) -> None:
    with (tmp_path / "collector.yaml").open("a") as config:
        config.write("  disk_budget: 1GiB\n")
    said = watchkeeper("size", "--hosts", "1000")
    assert said.out.endswith("disk_budget is 1.0 GiB: the oldest samples will go before their time.\n")


def test_a_program_reads_bytes(watchkeeper: Command) -> None:
    said = watchkeeper("size", "--hosts", "1000", "--json")
    found = json.loads(said.out)
    assert found["fleet"] == {"hosts": 1000, "series": 70, "every_s": 10.0}
    need = found["need"]
    assert need["disk"] == need["fresh"] + need["packed"] + need["rollups"] + need["spare"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--hosts 0", "'0' is not a number from 1 to 1000000"),
        ("--hosts 1 --series 2001", "'2001' is not a number from 1 to 2000"),
        ("--hosts 1 --interval 2d", "is too short or too long"),
        ("--hosts 1 --keep long", "is not a duration"),
        ("", "--hosts"),
    ],
)
def test_a_mistake_is_said(watchkeeper: Command, arguments: str, words: str) -> None:
    said = watchkeeper("size", *arguments.split())
    assert said.code == 2
    assert words in said.err
