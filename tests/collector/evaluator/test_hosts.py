"""Hosts that an admin renames, labels or removes while the collector is at work, or while it is not."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from collector.store import Keep, StoreError
from rules.kinds import threshold
from tests.collector.evaluator.house import CPU, House, pass_time
from tests.collector.stores.builders import NOW, TICK, arrival, enrolled, forgotten


async def breach(house: House) -> None:
    for seq in range(4):
        await house.push(seq, cpu=95)
    assert await house.reasons() == ["first"]


async def restarted(house: House) -> None:
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    house.evaluator = house.make([CPU])
    await house.evaluator.start()


async def test_whoever_heard_of_a_removed_host_hears_that_it_was_removed(house: House) -> None:
    await breach(house)
    await house.store.hosts.remove(house.host.id)
    await house.evaluator.follow_hosts()
    await house.evaluator.take([])
    assert await house.reasons() == ["first", "resolved"]
    [told, _] = await house.store.notices.recent(2)
    assert "the host was removed" in told.notice.text
    assert house.evaluator.watch.hosts == {}
    assert house.evaluator.watch.by_name == {}


async def test_so_do_they_when_it_was_removed_while_the_collector_was_away(house: House) -> None:
    await breach(house)
    await house.evaluator.stop()
    await house.store.hosts.remove(house.host.id)
    await forgotten(house.store, Keep(), NOW)
    await restarted(house)
    await house.evaluator.follow_hosts()
    await house.evaluator.take([])
    assert await house.reasons() == ["first", "resolved"]
    assert await house.store.incidents.open_alerts() == []
    await forgotten(house.store, Keep(), NOW)
    assert (await house.store.remember(NOW)).hosts == []


async def test_a_removed_host_that_is_silent_is_missed_no_more(house: House) -> None:
    await house.push(1)
    pass_time(house, 40)
    await house.store.hosts.remove(house.host.id)
    await house.evaluator.follow_hosts()
    pass_time(house, 40)
    await house.evaluator.stop()
    assert await house.reasons() == ["first", "resolved"]


async def test_what_a_removed_host_sends_is_put_off_until_its_token_is_known_to_be_gone(house: House) -> None:
    await house.push(1)
    await house.store.hosts.remove(house.host.id)
    assert await house.push(2) == "ok", "nobody has noticed yet"
    await house.evaluator.follow_hosts()
    with pytest.raises(StoreError, match="not in the store"):
        await house.push(3)
    assert house.evaluator.health().state == "ok"


async def test_the_others_go_on(house: House) -> None:
    bob = await enrolled(house.store, "bob")
    await house.evaluator.take([arrival(bob.id, NOW)])
    await house.store.hosts.remove(house.host.id)
    await house.evaluator.follow_hosts()
    assert await house.evaluator.take([arrival(bob.id, NOW + TICK, seq=1)]) == ["ok"]


async def test_a_label_that_an_admin_gives_binds_rules_at_once_and_outlives_what_the_agent_says(
    house: House,
) -> None:
    dbs = threshold.Rule(
        threshold.Options(name="db-cpu", metric="cpu_used_pct", above=80, where={"role": "db"})
    )
    house.evaluator.replace_rules([dbs], [])
    await house.push(0, cpu=95)
    await house.store.hosts.change(house.host.id, None, {"role": "db"})
    await house.evaluator.follow_hosts()
    told = arrival(
        house.host.id, NOW + TICK, {"cpu_used_pct": 95.0}, seq=1, labels={"role": "web", "os": "x"}
    )
    await house.evaluator.take([told])
    [alert] = await house.store.incidents.open_alerts()
    assert alert.rule == "db-cpu"
    [kept] = await house.store.hosts.all()
    assert kept.labels == {"role": "db", "os": "x"}


async def test_a_renamed_host_is_called_so_in_what_is_told_of_it(house: House) -> None:
    await house.push(0)
    await house.store.hosts.change(house.host.id, "carol", {})
    await house.evaluator.follow_hosts()
    for seq in range(1, 5):
        await house.push(seq, cpu=95)
    [told] = await house.store.notices.recent(1)
    assert told.notice.host == "carol"
    assert house.evaluator.watch.by_name == {"carol": house.host.id}


async def test_hosts_are_read_only_when_something_was_done_to_them(house: House) -> None:
    await house.evaluator.follow_hosts()
    house.store.hosts.all = None  # type: ignore[assignment]
    await house.evaluator.follow_hosts()


async def test_a_host_that_was_enrolled_and_never_pushed_is_counted(house: House) -> None:
    assert house.evaluator.hosts_by_state()["never_heard"] == 1
    await enrolled(house.store, "newcomer")
    await house.evaluator.follow_hosts()
    assert house.evaluator.hosts_by_state()["never_heard"] == 2
    await house.push(1)
    assert house.evaluator.hosts_by_state()["never_heard"] == 1
