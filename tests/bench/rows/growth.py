"""How cost grows with the fleet: 100, 1,000 and 10,000 hosts, all connected, at the same number of pushes a second."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from msgspec import Struct

from collector.auth import new_token
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from tests.bench.client import Order, Pressed, press
from tests.bench.fleet import DEFAULT_PACKS, Settings, stage
from tests.bench.process import resident_mib, resident_peak_mib
from tests.bench.progress import tell
from tests.bench.table import Goal, Row, quantile
from tests.system.harness import Collector

SIZES, QUICK_SIZES = (100, 1_000, 10_000), (10, 20, 40)
PACE_PER_S = 1_000
"""What ten thousand hosts send that push every ten seconds. Fewer hosts push more often, so that only their number
differs."""
SECONDS = 6.0
TURNS = 3
"""In the first, the collector gets to know each host; of the others, that counts which was least disturbed."""
PAGES = 15
ENROLLED_AT_ONCE = 500
CONNECTIONS_BESIDE_HOSTS = 100
LINEAR = Goal(1.2, 1.0)


class Grown(Struct, frozen=True):
    """What a fleet of `hosts` took. `disk_bytes` is of one batch as it came, in the store, not packed yet; so many of
    its first pushes, before anything was measured, were `put_off`."""

    hosts: int
    pressed: Pressed
    put_off: int
    resident_mib: float
    peak_mib: float
    disk_bytes: float
    pages_ms: list[float]

    @property
    def page_ms(self) -> float:
        return quantile(self.pages_ms, 0.5)


def run(settings: Settings) -> list[Row]:
    sizes, seconds = (QUICK_SIZES, 0.3) if settings.quick else (SIZES, SECONDS)
    few, some, many = (grown(hosts, seconds) for hosts in sizes)
    unlike = grown(sizes[-1], seconds, unlike=True)
    return [*_growth(few, some, many), *_largest(many), *_unlike(many, unlike)]


def grown(hosts: int, seconds: float, *, unlike: bool = False) -> Grown:
    tell(f"  {hosts:,} hosts{', no two alike' if unlike else ''}")
    with stage() as here:
        settings = {"packs": list(DEFAULT_PACKS), "connections_max": hosts + CONNECTIONS_BESIDE_HOSTS}
        collector: Collector = here.collector(settings=settings)
        state = collector.database.parent
        tokens = asyncio.run(enrolled_at_once(state, hosts))
        collector.start()
        order = Order(collector.port, collector.pid, tokens, seconds, PACE_PER_S, unlike=unlike)
        pressed = [press(order) for _ in range(TURNS)]
        calm = min(pressed[1:], key=lambda one: one.cpu_us_per_push)
        pages_ms = [_page_ms(collector) for _ in range(PAGES)]
        resident, peak = resident_mib(collector.pid), resident_peak_mib(collector.pid)
        collector.stop()
        put_off = sum(one.put_off for one in pressed)
        return Grown(hosts, calm, put_off, resident, peak, _bytes_of_a_batch(state), pages_ms)


async def enrolled_at_once(state: Path, hosts: int) -> list[str]:
    """The tokens of so many hosts. One after the other, as commands enrol them, would take minutes."""
    store = await open_store(state, role="collector")
    try:
        tokens = [new_token() for _ in range(hosts)]
        for first in range(0, hosts, ENROLLED_AT_ONCE):
            some = enumerate(tokens[first : first + ENROLLED_AT_ONCE], first)
            await asyncio.gather(
                *(
                    store.hosts.enrol(f"load-{number}", {}, token.id, sha256, 0)
                    for number, (token, sha256) in some
                )
            )
        return [str(token) for token, _ in tokens]
    finally:
        await store.close()


def _page_ms(collector: Collector) -> float:
    began_s = time.perf_counter()
    status, said = collector.get("/")
    assert status == 200, said
    return (time.perf_counter() - began_s) * 1000


def _bytes_of_a_batch(state: Path) -> float:
    found = SqliteCaretaker(state).check(lambda _said, _share: None)
    assert not found.damage, found.damage
    assert found.contents is not None
    fresh = next(tier for tier in found.contents.tiers if tier.name == "fresh")
    return fresh.bytes / fresh.rows


# --- the rows ---------------------------------------------------------------------------------------------------------


def _growth(few: Grown, some: Grown, many: Grown) -> list[Row]:
    sizes = f"{few.hosts:,}, {some.hosts:,} and {many.hosts:,} hosts"
    most = f"{many.hosts:,} ÷ {few.hosts:,}"
    cpu_us = [each.pressed.cpu_us_per_push for each in (few, some, many)]
    p99_ms = ", ".join(f"{each.pressed.p99_ms:.0f}" for each in (few, some, many))
    disk = [each.disk_bytes for each in (few, some, many)]
    page_us = [each.page_ms / each.hosts * 1000 for each in (few, some, many)]
    pages_ms = ", ".join(f"{each.page_ms:.0f}" for each in (few, some, many))
    return [
        _ratio(
            f"CPU of a push with {sizes}, {PACE_PER_S:,} pushes/s of all; {most}",
            cpu_us,
            f"µs; p99 of the answers {p99_ms} ms",
        ),
        _memory(few, some, many),
        _ratio(f"disk of a host and tick as it came; {most}", disk, "bytes"),
        _ratio(f"overview page, time for each host; {most}", page_us, f"µs; whole: {pages_ms} ms"),
    ]


def _ratio(what: str, figures: list[float], unit: str) -> Row:
    ratio = figures[-1] / figures[0]
    return Row(
        what, f"{ratio:.3f}: {', '.join(f'{figure:,.0f}' for figure in figures)} {unit}", ratio, LINEAR
    )


def _memory(few: Grown, some: Grown, many: Grown) -> Row:
    """Of each further host, as what the collector takes without any would hide what they take."""
    earlier, later = (
        (large.resident_mib - small.resident_mib) * 1024 / (large.hosts - small.hosts)
        for small, large in ((few, some), (some, many))
    )
    all_of_it = ", ".join(f"{each.resident_mib:.0f}" for each in (few, some, many))
    ratio = later / earlier if earlier > 0 else None
    return Row(
        f"memory of each host from {some.hosts:,} to {many.hosts:,} ÷ from {few.hosts:,} to {some.hosts:,}",
        f"{'-' if ratio is None else f'{ratio:.2f}'}: {later:.0f} ÷ {earlier:.0f} KiB; whole: {all_of_it} MiB",
        ratio,
        LINEAR,
    )


def _largest(many: Grown) -> list[Row]:
    times = f"({min(many.pages_ms):.0f} to {max(many.pages_ms):.0f}, {PAGES} times)"
    return [
        Row(
            f"overview page, {many.hosts:,} hosts",
            f"{many.page_ms:.0f} ms {times}",
            many.page_ms,
            Goal(200, 100),
        ),
        Row(
            f"collector's memory, {many.hosts:,} hosts, all connected, pages shown",
            f"{many.resident_mib:.0f} MiB (peak {many.peak_mib:.0f})",
            many.resident_mib,
            Goal(800, 400),
        ),
    ]


def _unlike(alike: Grown, unlike: Grown) -> list[Row]:
    """Hosts of one kind have the same series, and what is known of their list is shared. These share nothing."""
    what = f"{unlike.hosts:,} hosts of which no two have the same series ÷ the same number alike"
    cpu_us, memory_mib, page_ms = (
        (unlike.pressed.cpu_us_per_push, alike.pressed.cpu_us_per_push),
        (unlike.resident_mib, alike.resident_mib),
        (unlike.page_ms, alike.page_ms),
    )
    return [
        _beside(f"CPU of a push, {what}", *cpu_us, f"µs; {unlike.put_off:,} first pushes came again later"),
        _beside(f"memory, {what}", *memory_mib, "MiB"),
        _beside(f"overview page, {what}", *page_ms, "ms"),
    ]


def _beside(what: str, theirs: float, usual: float, unit: str) -> Row:
    return Row(what, f"{theirs / usual:.2f}: {theirs:,.0f} ÷ {usual:,.0f} {unit}", theirs / usual)
