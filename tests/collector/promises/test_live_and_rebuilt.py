"""Whatever comes in whatever order, with restarts, packing and maintenance between: what was written down on the way is
what the store says when all of it is reckoned anew, and it adds up to the millisecond."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from collector.promises.keeping import GRACE_MS
from collector.store import Store
from rules.sla.courses import course_of, intervals_of, tally
from rules.sla.model import HostPart, Interval, LatencyOptions, ServicePart
from tests.collector.promises.house import MIN, T0, TICK, House, opened, shop
from tests.collector.stores.builders import HOUR, sealed

LASTS = 15 * MIN
SERVICES = [
    shop(latency=LatencyOptions(limit_ms=300), maintenance=["2026-11-20 02:06 to 02:08"]),
    shop(name="fleet", checks=[], hosts=HostPart(where={}, need="any"), unknown="down"),
    shop(name="all", hosts=HostPart(where={}, need="all"), hours=["daily 02:03 to 02:12"]),
    shop(name="top", checks=[], depends_on=ServicePart(services=["shop", "fleet"])),
]


class Tick(Struct, frozen=True):
    """A batch of a host: when it was sampled and was on disk, in ms after T0; NaN of a state is no answer. `stuck`: it
    arrived at once, and then waited for the disk."""

    host: int
    at: int
    came: int
    stuck: bool
    state: float
    ms: float


DELAYS = st.sampled_from([100, 100, 100, 100, 12_000, 16_000, 61_000, 200_000, 400_000, None])


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Tick], list[tuple[int, int]], bool]:
    """Batches in the order in which they come, when the collector is away, and whether all is packed in the end."""
    ticks = []
    for host in range(2):
        for start in range(0, LASTS, 3 * TICK):
            state = draw(st.sampled_from([0.0, 0.0, 1.0, 2.0, float("nan")]))
            delay, ms = draw(DELAYS), draw(st.sampled_from([100.0, 301.0]))
            stuck = draw(st.booleans())
            for at in range(start + host * 3_000, start + 3 * TICK, TICK):
                if delay is not None:
                    ticks.append(Tick(host, at, at + delay, stuck, state, ms))
    begins = draw(st.lists(st.integers(1, LASTS // MIN - 3), max_size=2, unique=True))
    away = [
        (begin * MIN + 7_000, begin * MIN + draw(st.integers(20, 200)) * 1_000) for begin in sorted(begins)
    ]
    came = [replace(tick, came=_when_it_can(tick.came, away)) for tick in ticks]
    return sorted(came, key=lambda tick: tick.came), away, draw(st.booleans())


def _when_it_can(came: int, away: list[tuple[int, int]]) -> int:
    """While the collector is away, an agent waits."""
    for begin, end in away:
        if begin <= came < end:
            came = end + 500
    return came


async def live(store: Store, ticks: list[Tick], away: list[tuple[int, int]]) -> House:
    """The collector's life: a round every half minute while it runs, each batch when it comes."""
    house = House(store, SERVICES)
    hosts = [await house.enrol(f"h{number}") for number in range(2)]
    last = max([LASTS, *(tick.came for tick in ticks)]) + 2 * GRACE_MS
    moments = [(tick.came, 1, tick) for tick in ticks] + [(end, 0, None) for _, end in away]
    up_since, queue = 0, sorted(moments, key=lambda moment: moment[:2])
    for at in range(0, last + 30_000, 30_000):
        while queue and queue[0][0] <= at:
            came, _, tick = queue.pop(0)
            house.now = T0 + came
            if tick is None:
                house.start_collector()
                up_since = came
            else:
                arrived, states = T0 + (tick.at if tick.stuck else came), {"web": tick.state}
                await house.said(hosts[tick.host], T0 + tick.at, states, arrived=arrived, web=tick.ms)
        if up_since <= at and not any(begin <= at < end for begin, end in away):
            house.now = T0 + at
            await house.round()
    return house


def plain(intervals: list[Interval]) -> list[Interval]:
    """Without marks: those say how it came to be known."""
    return intervals_of(course_of([replace(one, repaired=False) for one in intervals]))


@settings(max_examples=30, deadline=None)
@given(lives())
def test_a_timeline_built_live_is_the_one_rebuilt_from_the_store(
    life: tuple[list[Tick], list[tuple[int, int]], bool],
) -> None:
    ticks, away, packed = life

    async def both() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = await opened(Path(folder))
            house = await live(store, ticks, away)
            reach = await store.promises.reach()
            before = {name: await store.promises.intervals(name, 0, 2**60) for name in reach}
            if packed:
                await sealed(store, house.now + 3 * HOUR)
            for name in reach:
                await store.promises.take_back(name, 0)
            await house.round()
            for name, span in reach.items():
                assert tally(course_of(before[name])).whole == span.end - span.start
                after = await store.promises.intervals(name, span.start, span.end)
                assert plain(before[name]) == plain(after), name
                assert not any(one.repaired for one in after)
                assert await store.promises.tally(name, span.start, span.end) == tally(course_of(after))
            await store.close()

    asyncio.run(both())


def test_every_class_is_met() -> None:
    """What the property is tried upon is not all up: this life has something of everything."""
    ticks = [
        Tick(
            host,
            at,
            at + (200_000 if 5 * MIN <= at < 7 * MIN else 100),
            False,
            at // MIN % 4 / 2 * 2 % 3,
            100.0,
        )
        for host in range(2)
        for at in range(0, LASTS, TICK)
        if not 9 * MIN <= at < 10 * MIN
    ]

    async def classes() -> set[str]:
        with tempfile.TemporaryDirectory() as folder:
            store = await opened(Path(folder))
            await live(store, sorted(ticks, key=lambda tick: tick.came), [(11 * MIN, 12 * MIN)])
            found = [one for each in SERVICES for one in await store.promises.intervals(each.name, 0, 2**60)]
            await store.close()
            return {one.state for one in found} | {"repaired" for one in found if one.repaired}

    assert asyncio.run(classes()) == {
        "up", "degraded", "down", "maintenance", "unknown", "outside", "repaired",
    }  # fmt: skip
