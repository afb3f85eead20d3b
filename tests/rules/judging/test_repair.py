"""What came late is judged as if it had come in its turn, and wakes nobody about the past."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.judging.judge import apply, repair, repairs_due
from rules.memory.host import REPAIR_TICKS_MAX, UNDO_MAX
from tests.rules.house import EVERY_MS, T0, House, limit, remembered, stored
from tests.rules.orders import Samples, deliver, no_first_without_a_resolved_between, standing

CPU = "cpu_used_pct"
RULES = [
    limit("cpu", CPU, above={"warning": 80.0, "critical": 95.0}, for_s=30),
    limit("cpu-now", CPU, above=90.0, severity="critical"),
    limit("state", "check_state", above={"warning": 0.0, "critical": 1.0}, for_s=15),
]


# --- the property -----------------------------------------------------------------------------------------------------

values = st.fixed_dictionaries(
    {"load1": st.just(1.0)},
    optional={
        CPU: st.sampled_from([10.0, 78.0, 85.0, 85.0, 93.0, 96.0, 96.0, None]),
        "check_state": st.sampled_from([0.0, 0.0, 1.0, 2.0, None]),
    },
)
gaps = st.sampled_from([1, 1, 1, 1, 1, 2, 3, 30])


@st.composite
def stories(draw: st.DrawFn) -> tuple[Samples, list[int], set[int]]:
    count = draw(st.integers(2, 25))
    at_s, samples = 0.0, []
    for _ in range(count):
        samples.append((at_s, draw(values)))
        at_s += 10 * draw(gaps)
    order = draw(st.permutations(range(count)))
    repaired_after = draw(st.sets(st.integers(0, count - 1), max_size=4))
    return samples, list(order), repaired_after


@given(stories())
@settings(max_examples=400, deadline=None)
def test_any_order_ends_where_the_right_order_ends(
    story: tuple[Samples, list[int], set[int]],
) -> None:
    samples, order, repaired_after = story
    in_order = House(RULES, check_purity=False)
    deliver(in_order, samples, list(range(len(samples))), 10_000)
    shuffled = House(RULES, check_purity=False)
    deliver(shuffled, samples, order, 10_000, repaired_after)
    shuffled.repair(30_000)
    assert standing(shuffled) == standing(in_order)
    assert not repairs_due(shuffled.watch, T0 + 40_000_000)
    for outcome in shuffled.outcomes:
        if outcome.repaired is not None:
            over = [
                alert for alert in outcome.alerts if alert.resolved_at and alert.fired_at == outcome.judged_at
            ]
            assert not over
            assert all(step.late for step in outcome.transitions)
    no_first_without_a_resolved_between(shuffled)


@given(stories())
@settings(max_examples=200, deadline=None)
def test_what_a_replay_in_order_would_have_said_is_on_record_late_where_it_came_late(
    story: tuple[Samples, list[int], set[int]],
) -> None:
    samples, order, _ = story
    in_order = House(RULES, check_purity=False)
    deliver(in_order, samples, list(range(len(samples))), 10_000)
    live = House(RULES, check_purity=False)
    deliver(live, samples, order, 10_000)
    live.repair(30_000)
    said = {(step.rule, step.subject, step.at, step.after, step.severity) for step in live.transitions}
    for step in in_order.transitions:
        assert (step.rule, step.subject, step.at, step.after, step.severity) in said


# --- stories ----------------------------------------------------------------------------------------------------------


def test_a_late_batch_wakes_nobody_about_what_is_over() -> None:
    house = House(RULES)
    house.batch(0, {CPU: 10})
    house.batch(600, {CPU: 10})
    for at_s in range(10, 600, 10):
        house.batch(at_s, {CPU: 99 if 100 <= at_s < 300 else 10}, arrived_s=601)
    house.repair(700)
    assert house.notices == []
    assert house.watch.alerts == {}
    assert [
        (step.at - T0, step.after, step.late) for step in house.transitions if step.rule == "cpu-now"
    ] == [
        (100_000, "firing", True),
        (300_000, "ok", True),
    ]


def test_what_is_still_bad_opens_dated_from_the_first_bad_sample() -> None:
    house = House(RULES[:1])
    house.batch(0, {CPU: 10})
    house.batch(600, {CPU: 85})
    assert house.stands("cpu") == "pending"
    for at_s in range(10, 600, 10):
        house.batch(at_s, {CPU: 85 if at_s >= 100 else 10}, arrived_s=601)
    house.repair(700)
    (alert,) = house.open_alerts
    assert (alert.since, alert.fired_at) == (T0 + 100_000, T0 + 130_000)
    assert house.told == [("mail", "first", "warning")]
    assert house.notices[0].started_at == T0 + 100_000
    assert [(step.after, step.alert) for step in house.transitions if step.late] == [
        ("pending", None),
        ("firing", alert.id),
    ]


def test_an_open_alert_gets_its_earlier_beginning_and_nobody_is_told_again() -> None:
    house = House(RULES[:1])
    house.batch(0, {CPU: 10})
    for at_s in (600, 610, 620, 630):
        house.batch(at_s, {CPU: 85})
    assert house.told == [("mail", "first", "warning")]
    for at_s in range(10, 600, 10):
        house.batch(at_s, {CPU: 85 if at_s >= 100 else 10}, arrived_s=631)
    house.repair(700)
    (alert,) = house.open_alerts
    (incident,) = house.open_incidents
    assert alert.since == incident.opened_at == T0 + 100_000
    assert house.told == [("mail", "first", "warning")]


def test_an_alert_that_ended_while_nobody_could_tell_is_dated_by_the_sample_that_ended_it() -> None:
    house = House(RULES[:1])
    for at_s in range(0, 50, 10):
        house.batch(at_s, {CPU: 85})
    house.batch(600, {CPU: 10})
    assert house.told == [("mail", "first", "warning"), ("mail", "resolved", "warning")]
    for at_s in range(50, 600, 10):
        house.batch(at_s, {CPU: 85 if at_s < 100 else 10}, arrived_s=601)
    house.repair(700)
    (alert,), (incident,) = house.watch.alerts.values(), house.watch.incidents.values()
    assert alert.resolved_at == incident.resolved_at == T0 + 100_000
    assert len(house.notices) == 2


def test_late_batches_of_a_healthy_host_ask_for_no_repair() -> None:
    house = House(RULES)
    house.batch(600, {CPU: 10})
    for at_s in range(0, 600, 10):
        assert house.batch(at_s, {CPU: 10}, arrived_s=601).repair_from is None
    assert repairs_due(house.watch, T0 + 10**9) == []


def test_a_late_batch_that_may_matter_names_the_sample_to_start_from() -> None:
    house = House(RULES)
    house.batch(600, {CPU: 10})
    outcome = house.batch(100, {CPU: 99}, arrived_s=601)
    assert (outcome.late, outcome.repair_from) == (True, T0 + 100_000)
    assert house.stands("cpu-now") == "ok"


@pytest.mark.parametrize(
    ("now_s", "due", "sentence"),
    [
        (611, False, "more may be on the way"),
        (630, True, "two ticks without another"),
    ],
)
def test_a_repair_waits_until_late_batches_have_come(now_s: float, due: bool, sentence: str) -> None:
    house = House(RULES)
    house.batch(600, {CPU: 10})
    house.batch(100, {CPU: 99}, arrived_s=601)
    house.batch(110, {CPU: 99}, arrived_s=610)
    assert bool(repairs_due(house.watch, T0 + round(now_s * 1000))) is due, sentence


def test_a_long_backlog_is_repaired_in_between() -> None:
    house = House(RULES)
    house.batch(6000, {CPU: 10})
    for at_s in range(32):
        house.batch(at_s * 10, {CPU: 99}, arrived_s=6000 + at_s)
    assert repairs_due(house.watch, T0 + 6_031_000)


def test_rows_that_were_cut_off_decide_nothing() -> None:
    house = House(RULES)
    house.batch(600, {CPU: 10})
    house.batch(100, {CPU: 99}, arrived_s=601)
    house.rows[1].pop()
    (outcome,) = house.repair(700)
    assert outcome.empty
    assert house.repair(800) == [], "and it is not tried for ever"


def test_rows_that_were_cut_off_take_nothing_of_what_is_known_of_the_past() -> None:
    house = House([limit("cpu", CPU, above=90.0)])
    for at_s in (0, 10, 30, 40):
        house.batch(at_s, {CPU: 99 if at_s == 40 else 10})
    house.batch(20, {CPU: 99}, arrived_s=41)
    outcome = repair(house.watch, 1, house.rows[1][:2], T0 + 70_000)
    apply(house.watch, outcome)
    assert house.watch.hosts[1].states_before(T0 + 40_000) == {}


def test_rows_from_before_our_clock_was_set_back_do_not_hinder_a_repair() -> None:
    house = House([limit("cpu", CPU, above=90.0)])
    house.batch(3600, {CPU: 10})
    for at_s in (0, 10, 30):
        house.batch(at_s, {CPU: 99 if at_s == 30 else 10})
    house.batch(20, {CPU: 99}, arrived_s=31)
    house.repair(80)
    assert [alert.since for alert in house.open_alerts] == [T0 + 20_000]


def test_after_a_restart_a_backlog_is_judged_from_what_was_stored() -> None:
    house = House(RULES[:1])
    for at_s in range(0, 100, 10):
        house.batch(at_s, {CPU: 85})
    rows = house.rows
    house = House([], watch=remembered(RULES[:1], rest=stored(house.watch), started_s=900))
    house.rows = rows
    house._seq[1] = 100
    house.batch(1000, {CPU: 85})
    for at_s in range(100, 1000, 10):
        house.batch(at_s, {CPU: 85}, arrived_s=1001)
    house.repair(1100)
    (alert,) = house.open_alerts
    assert alert.since == T0
    assert house.notices == []


def test_a_host_that_changed_its_mind_too_often_is_still_repaired() -> None:
    house = House(RULES[1:2], check_purity=False)
    for turn in range(UNDO_MAX + 20):
        house.batch(turn * 20, {CPU: 99})
        house.batch(turn * 20 + 10, {CPU: 10})
    end_s = (UNDO_MAX + 20) * 20
    house.batch(end_s, {CPU: 99})
    house.batch(5, {CPU: 99}, arrived_s=end_s + 1)
    assert len(house.watch.hosts[1].undo) <= UNDO_MAX
    house.repair(end_s + 100)
    assert house.state("cpu-now").since == T0 + end_s * 1000  # type: ignore[union-attr]
    assert house.watch.hosts[1].late is None


def test_a_batch_from_before_all_that_is_judged_again_asks_for_no_repair() -> None:
    house = House(RULES)
    house.batch(REPAIR_TICKS_MAX * 10 + 20, {CPU: 96})
    assert house.batch(10, {CPU: 99}, arrived_s=REPAIR_TICKS_MAX * 10 + 21).repair_from is None
    assert house.batch(20, {CPU: 99}, arrived_s=REPAIR_TICKS_MAX * 10 + 22).repair_from == T0 + 20_000


def test_a_repair_reaches_back_only_so_far() -> None:
    house = House(RULES[:1])
    house.batch(9_960_000, {CPU: 10})
    house.batch(9_950_000, {CPU: 99}, arrived_s=9_960_001)
    house.batch(10_000_010, {CPU: 10})
    ((_, start),) = repairs_due(house.watch, T0 + 10**11)
    assert start >= T0 + 10_000_000_000 - 5_010 * EVERY_MS


def test_what_was_thought_gone_and_was_not_stands_again_fired_at_its_last_step() -> None:
    house = House([limit("cpu", CPU, above=90.0)])
    house.batch(0, {CPU: 99})
    for at_s in range(10, 920, 10):
        house.batch(at_s, {"load1": 1})
    assert house.stands("cpu") == "ok"
    house.batch(895, {CPU: 99}, arrived_s=911)
    house.repair(950)
    assert [(alert.since, alert.fired_at) for alert in house.open_alerts] == [(T0, T0 + 900_000)]


def test_a_late_batch_that_is_fine_may_still_tell_when_something_ended() -> None:
    house = House(RULES[:1])
    for at_s in range(0, 50, 10):
        house.batch(at_s, {CPU: 85})
    house.batch(600, {CPU: 10})
    house.batch(100, {CPU: 10}, arrived_s=601)
    house.repair(700)
    (alert,) = house.watch.alerts.values()
    assert alert.resolved_at == T0 + 100_000
