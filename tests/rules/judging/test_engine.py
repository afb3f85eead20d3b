"""The state machine of a rule about a series, and that the short cut past it never hides a change."""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.judging.engine import Plan, Plans, Sample, Track, step
from rules.judging.plans import PLAN_NAMES_MAX
from rules.kinds import threshold
from rules.model import RuleState
from tests.rules.house import EVERY_MS, T0, House, limit

CPU = "cpu_used_pct"
NO = None  # asked, no answer

BOTH = {"warning": 80.0, "critical": 95.0}


def run(values: list[Any], *, times_s: list[float] | None = None, **options: Any) -> House:
    """One rule on one host, a sample each 10 s; "gone" leaves the series out."""
    house = House([limit("cpu", CPU, **{"above": BOTH, **options})])
    for at, value in enumerate(values):
        at_s = times_s[at] if times_s else at * 10
        house.batch(at_s, {"load1": 0.5} if value == "gone" else {"load1": 0.5, CPU: value})
    return house


@pytest.mark.parametrize(
    ("values", "for_s", "steps", "sentence"),
    [
        ([10, 20, 30], 0, [], "what is fine is not worth a word"),
        ([81], 0, ["ok>firing"], "without a for it fires at the first bad sample"),
        ([81], 20, ["ok>pending"], "with one it waits"),
        ([81, 81, 81], 20, ["ok>pending", "pending>firing"], "and fires when it has lasted that long"),
        (
            [81, 81, 10, 81, 81],
            20,
            ["ok>pending", "pending>ok", "ok>pending"],
            "a good sample begins it anew",
        ),
        ([81, 79, 81], 20, ["ok>pending", "pending>firing"], "trembling at the limit does not"),
        ([81, 79, 79, 79], 20, ["ok>pending"], "but it fires on a sample that is really bad"),
        (
            [81, 79, 81, 77, 10],
            0,
            ["ok>firing", "firing>ok"],
            "once firing, only a value well inside ends it",
        ),
        ([81, NO], 20, ["ok>pending", "pending>unknown"], "no answer is unknown"),
        (
            [81, NO, 81],
            20,
            ["ok>pending", "pending>unknown", "unknown>firing"],
            "one missing answer breaks no for",
        ),
        (
            [81, NO, NO, NO, NO, 81],
            20,
            ["ok>pending", "pending>unknown", "unknown>pending"],
            "a long spell of unknown does",
        ),
        ([NO, 10], 0, ["ok>unknown", "unknown>ok"], "unknown ends with an answer"),
        ([81, NO, 10], 0, ["ok>firing", "firing>unknown", "unknown>ok"], "an answer that is fine resolves"),
        (
            [81, NO, 81],
            0,
            ["ok>firing", "firing>unknown", "unknown>firing"],
            "one that is not goes on firing",
        ),
        ([81, 96], 0, ["ok>firing", "firing>firing"], "graver is a step of its own"),
        ([96, 93, 90], 0, ["ok>firing", "firing>firing"], "and so is milder, well below the graver limit"),
    ],
)
def test_a_story_of_samples(values: list[Any], for_s: float, steps: list[str], sentence: str) -> None:
    house = run(values, for_s=for_s)
    assert [step.removeprefix("cpu ") for step in house.steps] == steps, sentence


def test_each_limit_is_held_for_its_own_time() -> None:
    house = run([85, 85, 85, 96, 85, 85], for_s=20)
    assert house.told == [("mail", "first", "warning")], "one sample above 95 does not make it critical"
    house = run([85, 85, 85, 96, 96, 96], for_s=20)
    assert house.told == [("mail", "first", "warning"), ("mail", "escalated", "critical")]


def test_an_alert_survives_a_spell_of_unknown_and_nobody_is_told_twice() -> None:
    house = run([96, 96, NO, NO, NO, NO, NO, NO, 96, 96])
    assert house.told == [("mail", "first", "critical")]
    assert len(house.watch.alerts) == 1
    assert house.state("cpu").since == T0  # type: ignore[union-attr]


def test_a_firing_rule_that_becomes_unknown_keeps_its_alert_open() -> None:
    house = run([96, NO])
    assert house.stands("cpu") == "unknown"
    assert house.open_alerts


def test_a_hole_in_the_samples_begins_for_anew() -> None:
    house = run([85, 85, 85], for_s=60, times_s=[0, 10, 100])
    assert house.stands("cpu") == "pending"
    assert house.state("cpu").since == T0 + 100_000  # type: ignore[union-attr]
    house = run([85, 85, 85, 85], for_s=60, times_s=[0, 20, 40, 60])
    assert house.stands("cpu") == "firing", "two ticks apart is no hole"


@pytest.mark.parametrize(
    ("values", "stands", "steps", "sentence"),
    [
        ([10, "gone", "gone", "gone", "gone"], "ok", [], "a series that was fine may go without a word"),
        ([85, "gone", 85], "firing", ["ok>firing"], "a short gap is nothing"),
        ([85, "gone", "gone"], "firing", ["ok>firing"], "two missing samples are nothing yet"),
        (
            [85, "gone", "gone", "gone"],
            "unknown",
            ["ok>firing", "firing>unknown"],
            "the third makes it unknown",
        ),
        (
            [85, "gone", "gone", "gone", 85],
            "firing",
            ["ok>firing", "firing>unknown", "unknown>firing"],
            "back and bad: the same alert goes on",
        ),
        (
            [85, *["gone"] * 90],
            "ok",
            ["ok>firing", "firing>unknown", "unknown>ok"],
            "after a quarter of an hour it is no more",
        ),
        ([NO, *["gone"] * 90], "ok", ["ok>unknown", "unknown>ok"], "and neither is what was only unknown"),
    ],
)
def test_a_series_that_is_not_reported(
    values: list[Any], stands: str, steps: list[str], sentence: str
) -> None:
    house = run(values)
    assert house.stands("cpu") == stands, sentence
    assert [step.removeprefix("cpu ") for step in house.steps] == steps, sentence


def test_an_alert_about_a_series_that_is_no_more_says_so() -> None:
    house = run([85, *["gone"] * 90])
    assert house.transitions[-1].why == "no longer reported"
    assert house.told == [("mail", "first", "warning"), ("mail", "resolved", "warning")]


def test_what_is_known_of_lists_of_series_that_are_long_gone_is_let_go_of() -> None:
    plans = Plans([limit("cpu", "cpu_used_pct", above=90.0)])
    plan = weakref.ref(plans.plan(("cpu_used_pct", "load1"), {}))
    for number in range(PLAN_NAMES_MAX // 1_000 + 2):
        plans.plan(tuple(f"queue_{number}_{at}" for at in range(1_000)), {})
    assert plan() is None


def test_only_time_in_which_the_host_was_heard_counts_as_missing() -> None:
    house = run([85, "gone", "gone", "gone"], times_s=[0, 3600, 3610, 3620])
    assert house.stands("cpu") == "firing"


# --- the short cut ----------------------------------------------------------------------------------------------------

numbers = st.one_of(
    st.sampled_from(
        [0.0, 1.0, 75.9, 76.0, 76.1, 79.9, 80.0, 80.1, 90.2, 90.25, 90.3, 95.0, 95.1, 100.0, math.nan]
    ),
    st.floats(min_value=-10, max_value=110, allow_nan=False),
)
rules = st.builds(
    lambda metric, side, limits, for_s, margin: _rule(metric, side, limits, for_s, margin),
    st.sampled_from(["cpu_used_pct", "check_state"]),
    st.sampled_from(["above", "below"]),
    st.lists(st.sampled_from([0.0, 1.0, 50.0, 80.0, 95.0]), min_size=1, max_size=3, unique=True),
    st.sampled_from([0.0, 15.0, 40.0]),
    st.sampled_from([None, 0.0, 5.0]),
)


def _rule(metric: str, side: str, limits: list[float], for_s: float, margin: float | None) -> threshold.Rule:
    ordered = sorted(limits, reverse=side == "below")
    severities = ("info", "warning", "critical")[-len(ordered) :]
    clear = None if margin is None else ordered[0] - margin * (1 if side == "above" else -1)
    given = {side: dict(zip(severities, ordered, strict=True))}
    return limit("r", metric, for_s=for_s, clear=clear, **given)


@given(
    rule=rules,
    values=st.lists(numbers, min_size=1, max_size=40),
    gaps=st.lists(st.sampled_from([1, 1, 1, 2, 3, 9]), min_size=40, max_size=40),
)
@example(limit("r", CPU, above=BOTH), [96.0, 93.0, 90.25, 80.0, 76.0], [1] * 40)
@settings(max_examples=400, deadline=None)
def test_the_short_cut_agrees_with_the_state_machine(
    rule: threshold.Rule, values: list[float], gaps: list[int]
) -> None:
    plan = Plan((rule.metric,), [rule])
    track = Track(plan, 1, {})
    state: RuleState | None = None
    at, before_at = T0, None
    for value, gap in zip(values, gaps, strict=False):
        sample = Sample(at, EVERY_MS, before_at)
        after = step(rule, f"host:1/series:{rule.metric}", state, value, sample)
        low, high = rule.calm(state)
        if low <= value <= high:
            assert after is state, f"{value} in [{low}, {high}] was said to change nothing of {state}"
        track.write(track.look(np.array([value]), sample))
        state = after
        assert track.states == ({("r", rule.metric): state} if state else {})
        at, before_at = at + gap * EVERY_MS, at
