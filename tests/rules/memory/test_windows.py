"""Rules that look back: in whatever order samples come, and however often the collector starts, they say the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.judging.engine import Rule
from rules.judging.judge import replace_rules
from rules.judging.play import Player
from rules.kinds import composite, flapping, rate
from rules.kinds.flapping import CHANGES_MAX
from rules.kinds.rate import CELLS, POINTS_MAX
from rules.memory.windows import fill, rows_wanted
from rules.model import HOLDS, ChannelView, Host, Outcome, Window
from tests.rules.house import EVERY_MS, T0, House, limit, remembered, stored
from tests.rules.orders import Samples, deliver, no_first_without_a_resolved_between, standing

CPU, CHECK, SENT = "cpu_used_pct", "check_state", "bytes_total"


def fast(name: str = "fast", metric: str = CPU, **options: Any) -> rate.Rule:
    return rate.Rule(rate.Options(name=name, metric=metric, **{"over_s": 60, "per_s": 60, **options}))


def flaps(name: str = "flaps", **options: Any) -> flapping.Rule:
    return flapping.Rule(flapping.Options(name=name, **{"over_s": 120, "above": 3.0, **options}))


RULES: list[Rule] = [
    limit("cpu", CPU, above=80.0, for_s=30),
    fast(above={"warning": 20.0, "critical": 60.0}),
    fast("falls", below=-20.0, for_s=20),
    fast("counted", SENT, above=100.0, counter=True, per_s=1),
    flaps(above={"warning": 2.0, "critical": 4.0}),
    composite.Rule(composite.Options(name="all", rules=["cpu", "flaps"], for_s=10)),
    composite.Rule(composite.Options(name="two", rules=["cpu", "fast", "counted"], need=2)),
]

# --- the properties ---------------------------------------------------------------------------------------------------

values = st.fixed_dictionaries(
    {"load1": st.just(1.0)},
    optional={
        CPU: st.sampled_from([10.0, 10.0, 40.0, 90.0, None]),
        CHECK: st.sampled_from([0.0, 0.0, 1.0, 2.0, None]),
        SENT: st.sampled_from([0.0, 1000.0, 5000.0, 9000.0]),
    },
)
gaps = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 2, 3, 30])


@st.composite
def samples_of(draw: st.DrawFn) -> Samples:
    at_s, samples = 0.0, []
    for _ in range(draw(st.integers(2, 40))):
        samples.append((at_s, draw(values)))
        at_s += 10 * draw(gaps)
    return samples


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_order_ends_where_the_right_order_ends(data: st.DataObject) -> None:
    samples = data.draw(samples_of())
    order = data.draw(st.permutations(range(len(samples))))
    repaired_after = data.draw(st.sets(st.integers(0, len(samples) - 1), max_size=4))
    in_order = House(RULES, check_purity=False)
    deliver(in_order, samples, list(range(len(samples))), 10_000)
    shuffled = House(RULES, check_purity=False)
    deliver(shuffled, samples, order, 10_000, repaired_after)
    shuffled.repair(30_000)
    assert standing(shuffled) == standing(in_order)
    assert windows(shuffled) == windows(in_order)
    no_first_without_a_resolved_between(shuffled)


@given(samples_of(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_start_in_between_changes_nothing(samples: Samples, data: st.DataObject) -> None:
    straight = House(RULES, check_purity=False)
    deliver(straight, samples, list(range(len(samples))), 10_000)
    restarts = data.draw(st.sets(st.integers(1, len(samples) - 1), max_size=4))
    house = House(RULES, check_purity=False)
    for place, (at_s, told) in enumerate(samples):
        if place in restarts:
            house.watch = remembered(RULES, rest=stored(house.watch))
        arrival = arrival_of(house, at_s, told, 10_000 + place)
        if 1 in house.watch.unfilled:
            start = rows_wanted(house.watch, arrival)
            fill(house.watch, 1, [row for row in house.rows[1] if start is not None and row.at >= start])
        house.arrive(arrival)
    assert standing(house) == standing(straight)
    assert windows(house) == windows(straight)
    assert house.steps == straight.steps
    assert house.told == straight.told


@given(samples_of())
@settings(max_examples=100, deadline=None)
def test_a_replay_says_what_was_said_live_of_what_came_in_time(samples: Samples) -> None:
    live = House(RULES, check_purity=False)
    for at_s, told in samples:
        live.batch(at_s, told)
    played: list[Outcome] = []
    player = Player(
        RULES, [ChannelView("mail")], [Host(1, "h1")], start=T0, tick_ms=10**9, told=played.append
    )
    for row in live.rows[1]:
        player.batch(1, row.at, row.every_ms, row.layout, row.values)
    assert [step for outcome in played for step in outcome.transitions] == live.transitions
    assert [notice.title for outcome in played for notice in outcome.notices] == [
        notice.title for notice in live.notices
    ]


def windows(house: House) -> dict[tuple[str, str], Window]:
    """Those that the next sample may go on with."""
    memory = house.watch.hosts[1]
    oldest = (memory.host.last_at or 0) - HOLDS * EVERY_MS
    return {key: window for key, window in memory.track.windows.items() if window.at >= oldest}


def arrival_of(house: House, at_s: float, told: dict[str, Any], arrived_s: float) -> Any:
    """The batch that `house.batch` would make, not yet handed in."""
    caught: list[Any] = []
    arrive, house.arrive = house.arrive, lambda arrival, now=None: caught.append(arrival)  # type: ignore[assignment,method-assign,return-value]
    house.batch(at_s, told, arrived_s=arrived_s)
    house.arrive = arrive  # type: ignore[method-assign]
    return caught[0]


# --- stories ----------------------------------------------------------------------------------------------------------


def test_a_host_without_such_rules_keeps_no_windows() -> None:
    house = House([limit("cpu", CPU, above=80.0)])
    assert house.batch(0, {CPU: 10}).windows is None
    assert house.watch.hosts[1].track.windows == {}
    assert house.watch.unfilled == set()


def test_only_series_that_a_rule_looks_at_have_one() -> None:
    house = House([flaps(where={"role": "db"})], hosts=[Host(1, "h1", {"role": "db"}), Host(2, "h2")])
    for host in (1, 2):
        house.batch(0, {CPU: 10, CHECK: 0, 'check_state{check="x"}': 1}, host=host)
    assert [series for _, series in house.watch.hosts[1].track.windows] == [CHECK, 'check_state{check="x"}']
    assert house.watch.hosts[2].track.windows == {}


def test_a_series_that_is_gone_leaves_its_window_behind_soon() -> None:
    house = House([flaps()])
    house.batch(0, {CHECK: 0, 'check_state{check="x"}': 1})
    house.batch(20, {CHECK: 0})
    assert len(house.watch.hosts[1].track.windows) == 2, "it may only be late"
    house.batch(30, {CHECK: 0})
    assert len(house.watch.hosts[1].track.windows) == 1


def test_windows_stay_small_whatever_comes() -> None:
    house = House(
        [
            fast(over_s=7200, above=1e9),
            fast("c", SENT, over_s=7200, above=1e9, counter=True),
            flaps(over_s=7200),
        ],
        check_purity=False,
    )
    for second in range(3_000):
        house.batch(second, {CPU: second, SENT: second % 2, CHECK: second % 2}, every_ms=1_000)
    points = {key[0]: len(window.points) for key, window in house.watch.hosts[1].track.windows.items()}
    assert points["fast"] <= 2 * CELLS + 2
    assert points["c"] == POINTS_MAX
    assert points["flaps"] == CHANGES_MAX


def test_a_rule_that_is_new_asks_for_the_past_and_emits_nothing_of_it() -> None:
    house = House([limit("cpu", CPU, above=80.0)])
    for at_s in range(0, 200, 10):
        house.batch(at_s, {CPU: 10, CHECK: (at_s // 10) % 2})
    replace_rules(house.watch, [flaps()], [ChannelView("mail")])
    arrival = arrival_of(house, 200, {CPU: 10, CHECK: 0}, 200)
    start = rows_wanted(house.watch, arrival)
    assert start == T0 + 190_000 - 132_000
    fill(house.watch, 1, [row for row in house.rows[1] if row.at >= start])
    assert house.notices == []
    house.arrive(arrival)
    assert house.told == [("mail", "first", "warning")]
    assert "changed 12 times in 2 min > 3" in house.notices[0].title


def test_a_host_that_was_away_is_not_read_again() -> None:
    house = House([flaps()])
    house.batch(0, {CHECK: 0})
    house.watch = remembered([flaps()], rest=stored(house.watch))
    assert house.watch.unfilled == {1}
    assert rows_wanted(house.watch, arrival_of(house, 600, {CHECK: 0}, 600)) is None


def test_rows_that_do_not_reach_to_the_newest_sample_are_not_taken() -> None:
    house = House([flaps()])
    house.batch(0, {CHECK: 0})
    house.batch(10, {CHECK: 1})
    house.watch = remembered([flaps()], rest=stored(house.watch))
    fill(house.watch, 1, house.rows[1][:1])
    assert house.watch.hosts[1].track.windows == {}
    assert house.watch.unfilled == set()


def test_an_alert_stays_while_a_window_cannot_tell() -> None:
    house = House([flaps()])
    for at_s in range(0, 200, 10):
        house.batch(at_s, {CHECK: (at_s // 10) % 2})
    assert house.stands("flaps") == "firing"
    house.watch = remembered([flaps()], rest=stored(house.watch))
    for at_s in range(200, 320, 10):
        house.batch(at_s, {CHECK: 0})
        assert house.stands("flaps") == "firing"
    house.batch(320, {CHECK: 0})
    assert house.stands("flaps") == "ok"
