"""Hosts that come and go: nobody is woken for them, and they are forgotten after a while."""

from __future__ import annotations

from collector.ephemeral import AT_ONCE_MAX, Ephemeral
from collector.store import Store
from rules.judging.judge import Watch
from rules.model import Host
from tests.collector.stores.builders import NOW
from tests.rules.house import remembered, silence

HOUR = 3_600_000


async def watched(store: Store, **labels: dict[str, str]) -> Watch:
    """A judge who knows hosts with these labels, all last heard at NOW."""
    hosts = []
    for name, of in labels.items():
        host = await store.hosts.enrol(name, of, f"token-{name}", b"s" * 32, NOW)
        host.arrived_at = host.last_at = NOW
        hosts.append(host)
    watch = remembered([silence()], hosts=hosts)
    watch.listen_from(NOW)
    return watch


async def left(store: Store, watch: Watch, now: int) -> list[str]:
    await Ephemeral(store.hosts, lambda: watch, after_ms=HOUR, now_ms=lambda: now).look()
    return [host.name for host in await store.hosts.all()]


async def test_only_an_ephemeral_host_that_is_silent_for_long_is_removed(store: Store) -> None:
    watch = await watched(store, worker={"ephemeral": "true"}, db={}, web={"ephemeral": "false"})
    assert await left(store, watch, NOW + HOUR) == ["db", "web", "worker"]
    assert await left(store, watch, NOW + HOUR + 1) == ["db", "web"]


async def test_time_in_which_nobody_listened_does_not_count(store: Store) -> None:
    watch = await watched(store, worker={"ephemeral": "true"})
    watch.listen_from(NOW + 5 * HOUR)
    assert await left(store, watch, NOW + 5 * HOUR + 1) == ["worker"]


async def test_one_that_was_never_heard_may_still_come(store: Store) -> None:
    host = await store.hosts.enrol("worker", {"ephemeral": "true"}, "token", b"s" * 32, NOW)
    watch = remembered([silence()], hosts=[host])
    assert await left(store, watch, NOW + 99 * HOUR) == ["worker"]


async def test_very_many_are_removed_some_at_a_time(store: Store) -> None:
    count = AT_ONCE_MAX + 7
    watch = await watched(store, **{f"w{n:03}": {"ephemeral": "yes"} for n in range(count)})
    assert len(await left(store, watch, NOW + 2 * HOUR)) == 7


def test_nobody_is_woken_when_one_falls_silent() -> None:
    for labels, minds in (({"ephemeral": "true"}, False), ({"ephemeral": "no"}, True), ({}, True)):
        [memory] = remembered([silence()], hosts=[Host(1, "w", labels)]).hosts.values()
        assert bool(memory.absence_rules) == minds, labels
