"""Lists of series: in one order and checked once; what a host may cost whose list changes all the time."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from collector.ingest.layouts import CUTS_MAX, HOUR_MS, LAYOUTS_PER_HOST, NEW_BYTES_PER_HOUR, Layout, Layouts
from collector.stores.sqlite import open_store
from tests.collector.stores.builders import NOW, TICK, batch, enrolled

SERIES = 2_000
STAYS = ("cpu_used_pct", "load1")
names = st.from_regex(wire._METRIC, fullmatch=True).filter(lambda name: len(name) < 100)


@given(st.dictionaries(names, st.floats(allow_nan=False), max_size=20))
def test_a_layout_puts_names_in_one_order_and_every_value_with_its_name(samples: dict[str, float]) -> None:
    layout = Layouts().learn(1, tuple(samples), NOW)
    values = np.array(list(samples.values()), dtype=np.float64)
    ordered = values if layout.order is None else values[layout.order]
    assert list(zip(layout.kept, ordered.tolist(), strict=True)) == sorted(samples.items())


def test_a_host_that_changes_its_list_every_time_keeps_no_more_than_its_last_few() -> None:
    layouts = Layouts()
    for number in range(1_000):
        layouts.learn(1, (f"a_{number}", "b"), NOW)
    assert len(layouts._shared) == LAYOUTS_PER_HOST
    assert layouts.known(1, ("a_999", "b"), NOW) is not None
    assert layouts.known(1, ("a_0", "b"), NOW) is None
    assert layouts.known(2, ("a_999", "b"), NOW) is None


def test_a_host_that_sends_a_few_lists_in_turn_has_each_checked_once() -> None:
    layouts = Layouts()
    lists = [tuple(f"s_{number}_{which}" for number in range(3)) for which in range(LAYOUTS_PER_HOST)]
    learnt = [layouts.learn(1, sent, NOW) for sent in lists]
    for _ in range(3):
        assert [layouts.known(1, sent, NOW) for sent in lists] == learnt


# --- a list that changes all the time ---------------------------------------------------------------------------------


def churning(number: int) -> tuple[str, ...]:
    """A list of which all but two names are new."""
    return (*STAYS, *(f"requests_{number:06}_{series:04}" for series in range(SERIES - len(STAYS))))


def learnt(layouts: Layouts, batches: range, host: int = 1) -> list[Layout]:
    return [layouts.learn(host, churning(number), NOW + number * TICK) for number in batches]


def test_of_a_host_whose_list_is_new_in_every_batch_what_stays_is_kept_and_it_is_flagged() -> None:
    found = learnt(Layouts(), range(300))
    whole = [layout for layout in found if not layout.flags]
    assert 10 < len(whole) < NEW_BYTES_PER_HOUR / (SERIES * 15)
    assert found[: len(whole)] == whole
    cut = found[len(whole) :]
    assert {layout.flags for layout in cut} == {("churn",)}
    assert {layout.kept for layout in cut} == {STAYS}, "one more row in the store, however long it goes on"


def test_the_values_of_what_stays_go_with_their_names() -> None:
    layouts = Layouts()
    learnt(layouts, range(100))
    layout = layouts.learn(1, ("b_new", "load1", "a_new", "cpu_used_pct"), NOW)
    assert layout.order is not None
    assert (layout.kept, layout.order.tolist()) == (STAYS, [3, 1])


def test_what_is_kept_becomes_less_a_few_times_and_then_nothing_until_the_next_hour() -> None:
    layouts, every = Layouts(), tuple(f"s_{number:02}" for number in range(30))

    def push(number: int, names: tuple[str, ...]) -> Layout:
        rest = churning(number)[len(STAYS) :]
        return layouts.learn(1, (*names, *rest), NOW + number)

    for number in range(100):
        push(number, every)
    kept = [len(push(100 + gone, every[gone:]).kept) for gone in range(1, 20)]
    assert kept == [30 - gone for gone in range(1, CUTS_MAX + 1)] + [0] * (19 - CUTS_MAX)


def test_with_the_next_hour_all_of_it_is_kept_again() -> None:
    layouts = Layouts()
    [*_, last] = learnt(layouts, range(300))
    assert last.flags == ("churn",)
    assert last.until is not None
    assert layouts.known(1, last.sent, last.until - 1) is last
    assert layouts.known(1, last.sent, last.until) is None
    again = layouts.learn(1, last.sent, last.until)
    assert (again.flags, len(again.kept)) == ((), SERIES)
    assert layouts.known(1, last.sent, last.until + HOUR_MS) is again


def test_one_host_is_no_burden_to_another_and_a_list_that_others_send_costs_it_nothing() -> None:
    layouts = Layouts()
    learnt(layouts, range(300))
    assert not layouts.learn(2, churning(1_000), NOW).flags
    assert not layouts.learn(1, churning(1_000), NOW).flags


def test_hosts_that_send_a_few_new_lists_now_and_then_are_left_alone() -> None:
    layouts = Layouts()
    lists = [tuple(f"container_{number}_{series}" for series in range(70)) for number in range(60)]
    assert not any(layouts.learn(1, sent, NOW + at * TICK).flags for at, sent in enumerate(lists))


async def test_the_store_of_such_a_host_grows_by_what_stays(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    host, layouts = await enrolled(store), Layouts()
    file, sizes = tmp_path / "watchkeeper.db", []
    for number in range(400):
        layout = layouts.learn(host.id, churning(number), NOW + number * TICK)
        samples = dict.fromkeys(layout.kept, 1.0)
        await store.commit([batch(host.id, NOW + number * TICK, samples, flags=layout.flags)])
        if number in (200, 399):
            with contextlib.closing(sqlite3.connect(file)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            sizes.append(file.stat().st_size)
    assert sizes[1] - sizes[0] < 199 * 16_384, "a few pages for each batch, however many names are in it"
    assert len((await store.samples.series(host.id, "load1", 0, 2**62)).at) == 400
    await store.close()


def test_of_a_host_that_is_no_more_nothing_is_remembered() -> None:
    layouts = Layouts()
    for host in (1, 2):
        layouts.learn(host, ("cpu", "no name", f"of_{host}"), NOW)
    layouts.forget([1, 7])
    assert layouts.known(1, ("cpu", "no name", "of_1"), NOW) is None
    assert layouts.known(2, ("cpu", "no name", "of_2"), NOW) is not None
    assert (set(layouts._of_host), set(layouts._lately), layouts._named) == ({2}, {2}, {2})
