"""`commit`: whole or not at all, in order, and there after a restart."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from collector.store import CHECKS_PER_HOST_MAX, SPOOLS_PER_HOST_MAX, Store, StoreError
from rules.memory.seen import Seen
from rules.model import CheckAnswer, Host, Outcome, RuleState, Told
from tests.collector.stores.builders import (
    NOW,
    SPOOL,
    TICK,
    alert,
    arrival,
    batch,
    enrolled,
    incident,
    notice,
    outcome_that_cannot_be_kept,
    transition,
)
from tests.collector.stores.conftest import Place


def full_outcome(host: Host) -> Outcome:
    """One of everything that can follow from a batch."""
    return Outcome(
        arrival=arrival(host.id, NOW, {"load1": 9.5}),
        host=Host(host.id, host.name, {"role": "db"}, {"os": "Debian"}, host.enrolled_at, NOW + 50, NOW),
        seen=Seen(host.id, SPOOL, 1, [(3, 4)]),
        checks=[CheckAnswer("http", "http", "bad", NOW, 12.5, "no answer")],
        states=[
            RuleState(
                "load", "host:1/series:load1", "firing", NOW, "critical", 9.5, 1, {"critical": NOW}, NOW
            )
        ],
        incidents=[incident(1, told={"mail": Told("critical", NOW, NOW)})],
        alerts=[alert(1, of=1, host=host.id, value=9.5, limit=8.0, runbook="https://example.org")],
        transitions=[transition(NOW, of=1, late=True, why="too high", severity="critical", value=9.5)],
        notices=[notice("n1", of=1, alerts=[alert(1, of=1)])],
    )


async def everything(store: Store) -> list[object]:
    """All that a reader can see, to be compared before and after."""
    kept = await store.remember(NOW)
    hosts = await store.hosts.all()
    return [
        kept,
        await store.samples.overview(),
        [await store.samples.rows(host.id, 0, 2**62, 100) for host in hosts],
        [await store.samples.checks(host.id) for host in hosts],
        await store.incidents.recent(100),
        [await store.incidents.transitions(number) for number in range(5)],
        await store.notices.recent(100),
        await store.notices.counts(),
        (await store.health()).batches,
    ]


async def test_all_that_follows_from_a_batch_is_there_after_a_restart(place: Place) -> None:
    store = await place.open()
    outcome = full_outcome(await enrolled(store))
    await store.commit([outcome])
    store = await place.reopen()
    kept = await store.remember(NOW)
    assert kept.hosts == [outcome.host]
    assert kept.seen == [outcome.seen]
    assert kept.states == outcome.states
    assert kept.alerts == outcome.alerts
    assert kept.incidents == outcome.incidents
    assert (kept.next_alert, kept.next_incident) == (2, 2)
    assert (await store.samples.overview())[0].values == {"load1": 9.5}
    assert await store.samples.checks(1) == outcome.checks
    assert await store.incidents.transitions(1) == outcome.transitions
    assert [row.notice for row in await store.notices.recent(10)] == outcome.notices


async def test_a_group_that_cannot_be_kept_leaves_no_trace(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW - TICK)])
    before = await everything(store)
    for group in (
        [full_outcome(host), outcome_that_cannot_be_kept()],
        [outcome_that_cannot_be_kept(), full_outcome(host)],
        [full_outcome(host), Outcome(notices=[notice("n1", of=1)])],  # the same notice twice
        [full_outcome(host), Outcome(alerts=[alert(2, of=77)])],  # of no incident
    ):
        with pytest.raises(StoreError) as refused:
            await store.commit(group)
        assert not refused.value.passing
        assert repr(await everything(store)) == repr(before)


async def test_after_a_group_that_could_not_be_kept_the_next_one_is(store: Store) -> None:
    host = await enrolled(store)
    with pytest.raises(StoreError):
        await store.commit([batch(host.id, NOW, {"new": 1.0}), outcome_that_cannot_be_kept()])
    await store.commit([batch(host.id, NOW, {"new": 2.0})])
    assert (await store.samples.series(host.id, "new", 0, 2**62)).values.tolist() == [2.0]
    assert (await store.health()).state == "ok"


async def test_values_that_do_not_fit_their_names_are_refused(store: Store) -> None:
    host = await enrolled(store)
    crooked = arrival(host.id, NOW, {"a": 1.0, "b": 2.0})
    crooked.values = np.array([1.0])
    with pytest.raises(StoreError, match="2 series"):
        await store.commit([Outcome(arrival=crooked)])
    assert (await store.health()).batches == 0


async def test_an_empty_group_is_kept_without_ado(store: Store) -> None:
    await store.commit([])
    await store.commit([Outcome()])


async def test_commits_that_overlap_are_kept_in_the_order_of_the_calls(store: Store) -> None:
    host = await enrolled(store)
    await asyncio.gather(
        *(store.commit([Outcome(incidents=[incident(1, round=number)])]) for number in range(1, 51)),
        *(store.commit([batch(host.id, NOW, {"x": float(number)})]) for number in range(50)),
    )
    newest = await store.incidents.get(1)
    assert newest is not None
    assert newest.round == 50
    assert (await store.samples.series(host.id, "x", 0, 2**62)).values.tolist() == list(range(50))


async def test_of_one_thing_in_a_group_the_last_word_counts(store: Store) -> None:
    host = await enrolled(store)

    def state(name: str, number: int | None) -> RuleState:
        return RuleState("load", "host:1", name, NOW, alert=number)  # type: ignore[arg-type]

    await store.commit(
        [
            Outcome(incidents=[incident(1)], alerts=[alert(1, of=1)], states=[state("firing", 1)]),
            Outcome(alerts=[alert(1, of=1, resolved_at=NOW)], states=[state("ok", None)]),
            Outcome(states=[state("pending", None)]),
            Outcome(seen=Seen(host.id, SPOOL, 5)),
            Outcome(seen=Seen(host.id, SPOOL, 6)),
        ]
    )
    kept = await store.remember(NOW)
    assert [(s.state, s.alert) for s in kept.states] == [("pending", None)]
    assert [a.resolved_at for a in kept.alerts] == [NOW]
    assert [s.below for s in kept.seen] == [6]


async def test_a_state_that_is_ok_is_forgotten_unless_an_alert_hangs_on_it(store: Store) -> None:
    await store.commit([Outcome(incidents=[incident(1)], alerts=[alert(1, of=1)])])
    firing = [RuleState("load", f"host:{number}", "firing", NOW, "warning", 9.0, 1) for number in (1, 2)]
    await store.commit([Outcome(states=firing)])
    assert (await store.remember(NOW)).states == firing
    ok = [RuleState("load", "host:1", "ok", NOW + 1, alert=1), RuleState("load", "host:2", "ok", NOW + 1)]
    await store.commit([Outcome(states=ok)])
    assert (await store.remember(NOW)).states == ok[:1]


@pytest.mark.parametrize(
    "ranges",
    [[], [(7, 7)], [(7, 9), (12, 2**53)], [(3 * n, 3 * n + 1) for n in range(1, 1000)]],
    ids=["none", "one", "far apart", "as many as there may be"],
)
async def test_which_batches_were_seen_is_known_after_a_restart(
    place: Place, ranges: list[tuple[int, int]]
) -> None:
    store = await place.open()
    host = await enrolled(store)
    seen = [Seen(host.id, "a" * 32, 2, ranges), Seen(host.id, "b" * 32, 0, [])]
    await store.commit([Outcome(seen=one) for one in seen])
    store = await place.reopen()
    assert (await store.remember(NOW)).seen == seen


async def test_a_late_batch_is_stored_and_replaces_nothing_of_the_newest(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"load1": 2.0}, every_ms=5_000, flags=("clock",), skew_ms=9)])
    await store.commit(
        [batch(host.id, NOW - 5 * TICK, {"load1": 1.0}, arrived_at=NOW + 999, every_ms=60_000, flags=())]
    )
    (latest,) = await store.samples.overview()
    assert latest.values == {"load1": 2.0}
    assert (latest.host.last_at, latest.host.every_ms, latest.host.skew_ms) == (NOW, 5_000, 9)
    assert latest.host.flags == ("clock",)
    assert latest.host.arrived_at == NOW + 999  # it was heard, whatever it had to say
    assert (await store.samples.series(host.id, "load1", 0, 2**62)).values.tolist() == [1.0, 2.0]


async def test_a_late_batch_in_one_group_with_the_newest_changes_nothing_either(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"a": 2.0}), batch(host.id, NOW - 1, {"a": 1.0})])
    (latest,) = await store.samples.overview()
    assert (latest.values, latest.host.last_at) == ({"a": 2.0}, NOW)


async def test_what_the_judge_says_of_a_host_is_kept(place: Place) -> None:
    store = await place.open()
    host = await enrolled(store)
    said = Host(
        host.id,
        "alice",
        {"role": "web"},
        {"os": "Debian 12"},
        NOW,
        NOW + 50,
        NOW,
        5_000,
        70,
        ("clock",),
        ("role",),
    )
    await store.commit([Outcome(arrival=arrival(host.id, NOW), host=said)])
    store = await place.reopen()
    assert await store.hosts.all() == [said]


async def test_a_host_may_be_heard_without_anything_new(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW)])
    said = Host(host.id, "alice", {}, {}, NOW, NOW + 777, NOW, TICK, 0, ("series",))
    await store.commit([Outcome(repeat=True, host=said)])
    (latest,) = await store.samples.overview()
    assert latest.host == said
    assert latest.values == {"load1": 1.0}


async def test_the_checks_of_a_host_stand_as_they_were_last_answered(store: Store) -> None:
    host = await enrolled(store)

    def answered(at: int, *checks: CheckAnswer) -> Outcome:
        return Outcome(arrival=arrival(host.id, at), checks=list(checks))

    old = CheckAnswer("web", "http", "ok", NOW, 3.5, "200")
    new = CheckAnswer("web", "http", "bad", NOW + TICK, None, "refused")
    other = CheckAnswer("db", "tcp", "ok", NOW)
    await store.commit([answered(NOW + TICK, new, other)])
    await store.commit([answered(NOW, old)])  # late
    assert await store.samples.checks(host.id) == [other, new]
    assert await store.samples.checks(host.id + 1) == []


async def test_a_host_that_makes_up_checks_and_spools_without_end_does_not_grow_without_end(
    store: Store,
) -> None:
    host = await enrolled(store)
    for start in range(0, 1_500, 500):
        numbers = range(start, start + 500)
        await store.commit(
            [
                Outcome(
                    arrival=arrival(host.id, NOW + number),
                    seen=Seen(host.id, f"{number:032x}"),
                    checks=[CheckAnswer(f"check-{number}", "http", "ok", NOW + number)],
                )
                for number in numbers
            ]
        )
    checks = await store.samples.checks(host.id)
    assert len(checks) == CHECKS_PER_HOST_MAX
    assert min(check.at for check in checks) == NOW + 500  # the oldest have gone
    seen = (await store.remember(NOW)).seen
    assert len(seen) == SPOOLS_PER_HOST_MAX
    assert min(one.spool for one in seen) == f"{1_500 - SPOOLS_PER_HOST_MAX:032x}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, 5e-324, -0.0])
async def test_a_number_comes_back_as_it_was(store: Store, value: float) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"x": value, "y": 1.0})])
    (row,) = await store.samples.rows(host.id, 0, 2**62, 1)
    np.testing.assert_array_equal(row.values, [value, 1.0])
    assert math.copysign(1, row.values[0]) == math.copysign(1, value)


@pytest.mark.parametrize("text", ["", 'it\'s "quoted"; DROP TABLE hosts', "naïve 温度 🌡", "a\x00b\nc"])
async def test_a_text_comes_back_as_it_was(store: Store, text: str) -> None:
    host = await enrolled(store, text or "-")
    await store.commit(
        [
            Outcome(
                arrival=arrival(host.id, NOW, {text: 1.0}),
                checks=[CheckAnswer("c", "k", "bad", NOW, None, text)],
            )
        ]
    )
    (latest,) = await store.samples.overview()
    assert latest.values == {text: 1.0}
    assert latest.host.name == (text or "-")
    assert [check.detail for check in await store.samples.checks(host.id)] == [text]
