"""What a sample takes on disk, held to a limit on the trace of a real host."""

from __future__ import annotations

from pathlib import Path

from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from tests.bench.replayed import EVERY_MS, START, fill
from tests.collector.stores.builders import HOUR, enrolled, sealed

HOSTS, TICKS = 4, 1_500


async def test_a_packed_sample_takes_less_than_half_a_byte_with_all_that_is_around_it(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    hosts = [await enrolled(store, f"host-{number}") for number in range(HOSTS)]
    await fill(store, hosts, TICKS)
    await sealed(store, START + TICKS * EVERY_MS + HOUR)
    await store.close()
    found = SqliteCaretaker(tmp_path).check(lambda said, share: None)
    assert found.contents is not None
    tiers = {tier.name: tier for tier in found.contents.tiers}
    assert tiers["fresh"].batches == HOSTS
    assert tiers["packed"].bytes < 0.5 * tiers["packed"].samples
