"""What need not be written again, and when it must be all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from collector.store import StoreError
from collector.stores.sqlite import open_store
from collector.stores.sqlite.written import Written
from rules.model import Host, Outcome
from tests.collector.stores.builders import NOW, batch, enrolled, notice


def test_a_host_is_written_when_anything_is_said_of_it_anew() -> None:
    written = Written()
    host = Host(1, "alice", {"role": "db"}, {"cores": "4"})
    assert written.take(host)
    assert not written.take(replace(host, arrived_at=NOW))
    assert written.take(replace(host, labels={"role": "web"}))
    assert written.take(replace(host, facts={"cores": "8"}))
    assert written.take(replace(host, own_labels=("role",)))
    assert written.take(Host(2, "bob", host.labels, host.facts))


async def test_what_a_group_that_failed_said_of_a_host_is_written_the_next_time(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    host = replace(await enrolled(store), labels={"role": "db"}, facts={"cores": "4"})
    told = batch(host.id, NOW)
    told.host = host
    fails_last = Outcome(notices=[notice("about nothing", of=987_654_321)])
    with pytest.raises(StoreError):
        await store.commit([told, fails_last])
    await store.commit([told])
    (kept,) = await store.hosts.all()
    assert (kept.labels, kept.facts) == ({"role": "db"}, {"cores": "4"})
    await store.close()
