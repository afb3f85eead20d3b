"""What of reading samples back is SQLite's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from collector.store import StoreError
from collector.stores.sqlite import open_store, ranges, readers
from collector.stores.sqlite.commit import pack_ranges, pack_samples, unpack_ranges, unpack_samples
from collector.stores.sqlite.connection import connect_reader_as
from collector.stores.sqlite.slow import Timed
from tests.collector.stores.builders import NOW, batch, enrolled


async def test_a_range_that_is_too_long_is_refused_rather_than_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "POINTS_MAX", 1_500)
    store = await open_store(tmp_path, role="collector")
    host = await enrolled(store)
    await store.commit([batch(host.id, at) for at in range(3_000)])
    assert len((await store.samples.series(host.id, "load1", 0, 1_500)).at) == 1_500
    with pytest.raises(StoreError, match="ask for less"):
        await store.samples.series(host.id, "load1", 0, 2**62)
    await store.close()


@pytest.mark.parametrize("hosts", [1, 60])
async def test_however_many_unlike_hosts_there_are_the_overview_and_a_metric_are_two_questions_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: int
) -> None:
    asked: list[str] = []

    def overheard(path: Path, kind: type[Timed]) -> Timed:
        connection = connect_reader_as(path, kind)
        connection.set_trace_callback(asked.append)
        return connection

    store = await open_store(tmp_path, role="collector")
    await store.commit(
        [
            batch((await enrolled(store, f"{n}")).id, NOW, {"load1": 1.0, f"own_{n}": 2.0})
            for n in range(hosts)
        ]
    )
    await store.close()
    monkeypatch.setattr(readers, "connect_reader_as", overheard)
    for question in ("overview", "latest_of"):
        store = await open_store(tmp_path, role="collector")  # which knows no list of names by heart
        asked.clear()
        found = await (
            store.samples.overview() if question == "overview" else store.samples.latest_of("load1")
        )
        assert len(found) == hosts
        assert len([text for text in asked if text.lstrip().startswith("SELECT")]) == 2
        await store.close()


def test_numbers_are_packed_alike_on_every_machine() -> None:
    assert pack_samples(np.array([1.0, -2.0]), 2) == bytes.fromhex("000000000000f03f 00000000000000c0")
    assert pack_ranges([(1, 258)]) == bytes.fromhex("0100000000000000 0201000000000000")


def test_what_was_packed_is_unpacked() -> None:
    strided = np.arange(10.0)[::3]
    assert unpack_samples(pack_samples(strided, 4)).tolist() == [0.0, 3.0, 6.0, 9.0]
    assert unpack_samples(pack_samples(np.array([1, 2], dtype=">f8"), 2)).tolist() == [1.0, 2.0]
    assert unpack_ranges(pack_ranges([(3, 4), (9, 2**53)])) == [(3, 4), (9, 2**53)]
