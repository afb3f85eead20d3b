"""The evaluator over the real store: nothing is answered before it is on disk, and a failing disk loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collector.evaluator import COMMITS_APART_S, QUEUE_MAX, Evaluator
from collector.store import Keep, Remembered, Row, Store, StoreError
from collector.stores.sqlite import open_store
from rules.engine import Rule
from rules.kinds import absence, flapping, threshold
from rules.model import ChannelView, Host, Outcome
from tests.collector.stores.builders import NOW, TICK, arrival, enrolled

CPU = threshold.Rule(threshold.Options(name="cpu-high", metric="cpu_used_pct", above=80, for_s=20))
SILENT = absence.Rule(absence.Options(name="host-silent", for_s=0))
OPS = ChannelView("ops")


class Clock:
    """The wall and the monotonic clock of a test, moved by hand; `set_by_ms` is how far the wall clock was set."""

    def __init__(self) -> None:
        self.ms = NOW
        self.set_by_ms = 0

    def now_ms(self) -> int:
        return self.ms + self.set_by_ms

    def monotonic(self) -> float:
        return self.ms / 1000


class House:
    """A store with one host, and an evaluator upon it."""

    def __init__(self, store: Store, host: Host) -> None:
        self.store, self.host = store, host
        self.clock = Clock()
        self.told: list[Outcome] = []
        self.registry = CollectorRegistry()
        self.evaluator = self.make([CPU, SILENT])

    def make(self, rules: Sequence[Rule]) -> Evaluator:
        return Evaluator(
            self.store,
            rules,
            [OPS],
            now_ms=self.clock.now_ms,
            on_commit=self.told.extend,
            registry=self.registry,
            monotonic=self.clock.monotonic,
        )

    async def push(self, seq: int, cpu: float = 10.0, at: int | None = None) -> str:
        """One batch of the host, sampled in its turn unless `at` says otherwise; it arrives when the clock says."""
        at = NOW + seq * TICK if at is None else at
        self.clock.ms = max(self.clock.ms, at)
        sent = arrival(self.host.id, at, {"cpu_used_pct": cpu}, seq=seq, arrived_at=self.clock.ms)
        [result] = await self.evaluator.take([sent])
        assert isinstance(result, str)
        return result

    async def stored(self) -> list[int]:
        rows = await self.store.samples.rows(self.host.id, 0, 2**62, 1_000)
        return [(row.at - NOW) // TICK for row in rows]

    async def reasons(self) -> list[str]:
        return [row.notice.reason for row in reversed(await self.store.notices.recent(100))]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    store = await open_store(tmp_path, role="collector")
    house = House(store, await enrolled(store))
    await house.evaluator.start()
    yield house
    await house.evaluator.stop()
    await store.close()


async def test_a_batch_that_is_answered_is_in_the_store(house: House) -> None:
    assert await house.push(1) == "ok"
    assert await house.stored() == [1]


async def test_a_batch_sent_twice_is_taken_once_and_acknowledged_twice(house: House) -> None:
    assert [await house.push(1), await house.push(1)] == ["ok", "ok"]
    assert await house.stored() == [1]


async def test_many_pushes_at_once_are_kept_in_a_few_commits(house: House) -> None:
    await asyncio.gather(*(house.push(seq) for seq in range(1, 101)))
    assert await house.stored() == list(range(1, 101))
    commits = house.registry.get_sample_value("watchkeeper_commit_seconds_count")
    assert commits is not None
    assert commits < 20


async def test_pushes_that_come_one_by_one_share_commits_unless_they_are_rare(house: House) -> None:
    def commits() -> float:
        return house.registry.get_sample_value("watchkeeper_commit_seconds_count") or 0

    for seq in (1, 2):
        await asyncio.sleep(2 * COMMITS_APART_S)
        before = commits()
        await house.push(seq)
        assert commits() == before + 1
    before = commits()
    pushes = []
    for seq in range(3, 103):
        pushes.append(asyncio.create_task(house.push(seq)))
        await asyncio.sleep(COMMITS_APART_S / 100)
    await asyncio.gather(*pushes)
    assert commits() - before < 50


async def test_a_breach_is_told_of_once_when_it_lasts_and_once_when_it_is_over(house: House) -> None:
    for seq, cpu in enumerate([10, 95, 95, 95, 95, 10, 10]):
        await house.push(seq, cpu)
    assert await house.reasons() == ["first", "resolved"]


async def test_listeners_hear_of_what_is_on_disk_and_of_nothing_else(house: House) -> None:
    await house.push(1)
    assert [outcome.arrival.seq for outcome in house.told if outcome.arrival] == [1]


async def test_a_listener_that_fails_harms_nobody(house: House) -> None:
    def fail(_: Sequence[Outcome]) -> None:
        raise RuntimeError("the page is broken")

    house.evaluator._on_commit = fail
    assert [await house.push(1), await house.push(2)] == ["ok", "ok"]
    assert house.registry.get_sample_value("watchkeeper_commit_errors_total") == 2


async def test_a_host_enrolled_while_we_run_may_push_at_once(house: House) -> None:
    house.host = await enrolled(house.store, "bob")
    assert await house.push(1) == "ok"


async def test_a_host_that_nobody_knows_is_put_off(house: House) -> None:
    with pytest.raises(StoreError, match="host 77 has a token but is not in the store"):
        await house.evaluator.take([arrival(77, NOW)])


async def test_a_queue_that_is_full_puts_a_push_off_before_it_is_judged(house: House) -> None:
    many = [arrival(house.host.id, NOW + seq, seq=seq) for seq in range(QUEUE_MAX + 1)]
    with pytest.raises(StoreError, match="than there is room for"):
        await house.evaluator.take(many)
    assert await house.push(1) == "ok"
    assert await house.stored() == [1]


async def test_a_host_that_was_put_off_is_not_missed_for_it(house: House) -> None:
    await house.push(0)
    pass_time(house, 20)
    with pytest.raises(StoreError, match="than there is room for"):
        await house.evaluator.take([arrival(house.host.id, NOW, seq=seq) for seq in range(QUEUE_MAX + 1)])
    pass_time(house, 29)
    await house.evaluator.stop()
    assert await house.reasons() == []


async def test_what_is_queued_when_we_stop_is_kept(house: House) -> None:
    pushes = asyncio.gather(*(house.push(seq) for seq in range(50)))
    await asyncio.sleep(0)
    await house.evaluator.stop()
    assert await pushes == ["ok"] * 50
    assert await house.stored() == list(range(50))
    with pytest.raises(StoreError, match="stopping"):
        await house.push(51)


# --- silence ----------------------------------------------------------------------------------------------------------


def pass_time(house: House, seconds: int) -> None:
    for _ in range(seconds):
        house.clock.ms += 1_000
        house.evaluator.tick()


async def test_a_silent_host_is_told_of_and_so_is_its_return(house: House) -> None:
    await house.push(1)
    pass_time(house, 40)
    await house.push(9)
    assert await house.reasons() == ["first", "resolved"]


async def test_a_host_that_said_bye_is_not_missed_even_by_a_collector_that_starts_anew(house: House) -> None:
    await house.push(0)
    word = arrival(
        house.host.id, NOW + 1_000, {}, seq=1, arrived_at=NOW + 1_000, flags=("shutdown",), checks=[]
    )
    assert await house.evaluator.take([word]) == ["ok"]
    assert await house.stored() == [0]
    [kept] = await house.store.samples.overview()
    assert (kept.host.bye, kept.host.arrived_at) == ("shutdown", NOW + 1_000)
    assert list(kept.values) == ["cpu_used_pct"]
    assert house.evaluator.hosts_by_state() == {"heard": 0, "silent": 0, "stopped": 1, "never_heard": 0}
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    again = house.make([CPU, SILENT])
    await again.start()
    house.clock.ms += 1_000_000
    again.tick()
    house.clock.ms += 4_000
    again.tick()
    await again.stop()
    assert await house.reasons() == []


async def test_nobody_is_called_silent_for_time_in_which_we_slept(house: House) -> None:
    await house.push(1)
    house.clock.ms += 3_600_000
    house.evaluator.tick()
    house.clock.ms += 1_000
    house.evaluator.tick()
    assert await house.reasons() == []


async def test_a_host_is_missed_though_the_clock_was_set_back_since_it_was_heard(house: House) -> None:
    await house.push(360)
    house.clock.set_by_ms = -3_600_000
    pass_time(house, 40)
    await house.evaluator.stop()
    assert await house.reasons() == ["first"]


async def test_a_host_is_missed_while_the_past_of_another_is_being_read(house: House) -> None:
    await house.push(0)
    await house.push(9)
    await house.push(5, cpu=95)
    read, reading = house.store.samples.rows, asyncio.Event()

    async def never(*given: int) -> list[Row]:
        reading.set()
        await asyncio.Event().wait()
        return await read(*given)

    house.store.samples.rows = never  # type: ignore[method-assign]
    pass_time(house, 25)
    repair = asyncio.create_task(house.evaluator.repair_late())
    await reading.wait()
    pass_time(house, 20)
    repair.cancel()
    await house.evaluator.stop()
    assert await house.reasons() == ["first"]


async def test_a_restart_counts_silence_from_its_own_start(house: House) -> None:
    await house.push(1)
    await house.evaluator.stop()
    house.clock.ms += 3_600_000
    house.registry = CollectorRegistry()
    house.evaluator = house.make([SILENT])
    await house.evaluator.start()
    house.evaluator.tick()
    assert await house.reasons() == []


async def test_a_rule_that_looks_back_knows_after_a_start_what_it_knew_before(house: House) -> None:
    flaps = flapping.Rule(flapping.Options(name="flaps", metric="cpu_used_pct", above=3.0, over_s=300))
    for seq in range(3):
        await house.push(seq, cpu=seq % 2)
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    house.evaluator = house.make([flaps])
    await house.evaluator.start()
    await asyncio.gather(*(house.push(seq, cpu=seq % 2) for seq in (3, 4)))
    await house.evaluator.stop()
    assert await house.reasons() == ["first"], "two changes before the start and two after it"
    [alert] = await house.store.incidents.open_alerts()
    assert (alert.rule, alert.value) == ("flaps", 4.0)


async def test_a_rule_that_is_new_looks_back_as_well(house: House) -> None:
    flaps = flapping.Rule(flapping.Options(name="flaps", metric="cpu_used_pct", above=3.0, over_s=300))
    for seq in range(4):
        await house.push(seq, cpu=seq % 2)
    house.evaluator.replace_rules([flaps], [OPS])
    await house.push(4, cpu=0)
    assert await house.reasons() == ["first"]


# --- late batches -----------------------------------------------------------------------------------------------------


async def settle(house: House) -> None:
    """Let the time pass in which late batches are waited for."""
    for _ in range(60):
        house.clock.ms += 1_000
        house.evaluator.tick()
        await house.evaluator.repair_late()
    await house.evaluator.stop()


async def test_a_breach_that_was_over_before_we_heard_of_it_wakes_nobody_and_is_on_record(
    house: House,
) -> None:
    house.evaluator.replace_rules([CPU], [OPS])
    await house.push(0)
    await house.push(9)
    for seq, cpu in enumerate([95, 95, 95, 95, 95, 10, 10, 10], start=1):
        await house.push(seq, cpu)
    await settle(house)
    assert await house.reasons() == []
    assert await house.stored() == list(range(10))
    assert late_transitions(house) == [("pending", "firing"), ("firing", "ok")]


async def test_a_breach_that_goes_on_is_dated_from_its_first_sample_however_late_that_came(
    house: House,
) -> None:
    house.evaluator.replace_rules([CPU], [OPS])
    await house.push(0)
    await house.push(6, cpu=95)
    for seq in (1, 2):
        await house.push(seq)
    for seq in (3, 4, 5):
        await house.push(seq, cpu=95)
    await settle(house)
    [alert] = await house.store.incidents.open_alerts()
    assert alert.since == NOW + 3 * TICK
    assert await house.reasons() == ["first"]


def database(house: House) -> Path:
    return Path(house.store._folder.database)  # type: ignore[attr-defined]


def late_transitions(house: House) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(database(house))) as connection:
        rows = connection.execute("SELECT before, after FROM transitions WHERE late ORDER BY at")
        return [(before, after) for before, after in rows if (before, after) != ("ok", "pending")]


# --- a store that fails -----------------------------------------------------------------------------------------------


async def test_what_a_failing_store_did_not_take_may_be_sent_again_and_then_is_there_once(
    house: House,
) -> None:
    await house.push(1)
    with contextlib.closing(sqlite3.connect(database(house), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pushes = await asyncio.gather(
            *(house.push(seq, cpu=95) for seq in (2, 3, 4, 5)), return_exceptions=True
        )
        other.execute("ROLLBACK")
    assert all(isinstance(answer, StoreError) for answer in pushes)
    assert house.evaluator.health().state == "bad"
    async with asyncio.timeout(10):
        while house.evaluator.health().state == "bad":
            await asyncio.sleep(0.05)
    for seq in (2, 3, 4, 5):
        assert await house.push(seq, cpu=95) == "ok"
    assert await house.stored() == [1, 2, 3, 4, 5]
    assert await house.reasons() == ["first"]


async def test_a_store_that_has_no_room_is_asked_ever_more_seldom_and_logged_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.push(1)
    await house.store.forget(Keep(budget_bytes=1), NOW)
    deadline_s = asyncio.get_running_loop().time() + 1.0
    while asyncio.get_running_loop().time() < deadline_s:
        with contextlib.suppress(StoreError):
            await house.push(2)
        await asyncio.sleep(0.02)
    failed = house.registry.get_sample_value("watchkeeper_commit_errors_total")
    assert failed in (2, 3)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    await house.store.forget(Keep(), NOW)
    async with asyncio.timeout(10):
        while house.evaluator.health().state == "bad":
            await asyncio.sleep(0.05)
    assert await house.push(2) == "ok"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


async def test_a_fault_in_reading_the_store_again_is_survived(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [RuntimeError("not foreseen")]
    remember = house.store.remember

    async def fail_once(now: int) -> Remembered:
        if faults:
            raise faults.pop()
        return await remember(now)

    monkeypatch.setattr(house.store, "remember", fail_once)
    house.evaluator.watch.add_host(Host(987, "ghost"))
    with pytest.raises(StoreError):
        await house.evaluator.take([arrival(987, NOW, seq=1)])
    async with asyncio.timeout(10):
        while house.evaluator.health().state == "bad":
            await asyncio.sleep(0.05)
    assert await house.push(1) == "ok"


async def test_nobody_is_missed_who_was_told_to_come_again_later(house: House) -> None:
    await house.push(1)
    house.evaluator.watch.add_host(Host(987, "ghost"))
    with pytest.raises(StoreError):
        await house.evaluator.take([arrival(987, NOW, seq=1)])
    async with asyncio.timeout(10):
        while house.evaluator.health().state == "bad":
            await asyncio.sleep(0.05)
    pass_time(house, 40)
    assert house.evaluator.watch.alerts == {}
    pass_time(house, 5)
    await house.evaluator.stop()
    assert await house.reasons() == ["first"]


async def test_a_batch_that_contradicts_the_store_holds_up_none_before_it_and_is_put_off(
    house: House,
) -> None:
    house.evaluator.watch.add_host(Host(987, "ghost"))
    ghost = house.evaluator.take([arrival(987, NOW, seq=1)])
    answers = await asyncio.gather(house.push(1), house.push(2), ghost, house.push(3), return_exceptions=True)
    assert answers[:2] == ["ok", "ok"]
    assert isinstance(answers[2], StoreError)
    assert isinstance(answers[3], StoreError)
    async with asyncio.timeout(10):
        while house.evaluator.health().state == "bad":
            await asyncio.sleep(0.05)
    assert await house.push(3) == "ok"
    assert await house.stored() == [1, 2, 3]
