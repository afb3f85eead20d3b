"""Whether anything should change, how far, and what is said of it: a row per situation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.scaling.decide import decide
from rules.scaling.model import (
    CPU,
    LATENCY,
    MEMORY,
    Change,
    Direction,
    Foreseen,
    Gates,
    Past,
    ScalingPolicy,
    Seen,
    preset,
)
from rules.scaling.smooth import remembered
from tests.rules.scaling.service import MINUTE_MS, NOW, asked, seen

POLICY = ScalingPolicy()

TABLE: list[tuple[Seen, Direction, int, str]] = [
    (seen(90, 90, 90), "up", 4, "above the gate the target says how far"),
    (seen(79, 79, 79), "hold", 3, "above the target, but not above the gate"),
    (seen(100, 100, 100, 100), "up", 6, "4 × 100 ÷ 70, rounded up"),
    (seen(100, 20, 20), "hold", 3, "one busy instance of three is no load"),
    (seen(20, 20, 20, 20), "down", 2, "all below the lower gate"),
    (seen(40, 40, 40, 40), "hold", 4, "half idle is no reason to take any away"),
    (seen(20, 20, 20, 20, memory=[60, 60, 60, 60]), "hold", 4, "memory is not low"),
    (seen(20, 20, 20, 20, memory=[20, 20, 20, 20]), "down", 2, "both are"),
    (seen(50, 50, 50, memory=[95, 95, 95]), "up", 4, "memory alone opens the gate"),
    (seen(50, 50, http_total_ms=1_500), "up", 3, "answers that take too long open the gate"),
    (seen(20, 20, 20, 20, http_total_ms=950), "hold", 4, "answers near their limit keep what there is"),
    (seen(1, 1, 1), "down", 2, "never fewer than the least"),
    (seen(*[100] * 9), "up", 10, "never more than the most"),
    (seen(50), "up", 2, "fewer than the least is always too few"),
    (seen(*[50] * 12), "down", 10, "more than the most is always too many"),
    (seen(*[10] * 11, "?"), "hold", 12, "... but none is taken away while one is unknown"),
    (seen(10, 10, 10, 10, "?"), "hold", 5, "never down while an instance is unknown"),
    (seen(95, 95, 95, 95, 95, "?"), "up", 7, "up in spite of one, which counts as idle"),
    (seen(95, 95, "?"), "unknown", 3, "fewer than 80 % can be read"),
    (seen(100, 100, 100, 100, None), "up", 6, "80 % can be read"),
    (seen("?", "?"), "unknown", 2, "nothing can be read"),
    (seen(), "unknown", 0, "nothing is there"),
]


@pytest.mark.parametrize(("what", "direction", "wanted", "sentence"), TABLE, ids=[row[3] for row in TABLE])
def test_a_decision(what: Seen, direction: Direction, wanted: int, sentence: str) -> None:
    memory = any(MEMORY in instance.values for instance in what.instances)
    policy = POLICY if memory else replace(POLICY, targets={CPU: 70.0})
    said = asked(policy, what)
    assert (said.direction, said.wanted) == (direction, wanted), f"{sentence}: {said.reason}"
    assert said.reason


def test_it_gives_its_reason_and_its_evidence() -> None:
    said = asked(replace(POLICY, targets={CPU: 70.0}), seen(90, 94, 92))
    assert said.reason == (
        "cpu_used_pct is at 92 % on average over 3 instances, to be at 70 %, and above 80 %"
    )
    (evidence,) = said.evidence
    assert (evidence.metric, evidence.observed, evidence.target, evidence.wanted) == (CPU, 92, 70, 4)
    assert said.expires_at > said.at == NOW
    assert 0 < said.confidence <= 1


def test_what_is_further_off_is_surer_and_what_can_be_read_less_is_less_sure() -> None:
    policy = replace(POLICY, targets={CPU: 70.0})
    far, near = asked(policy, seen(100, 100, 100)), asked(policy, seen(81, 81, 81))
    some_missing = asked(policy, seen(100, 100, 100, 100, None))
    assert far.confidence > near.confidence
    assert far.confidence > some_missing.confidence
    assert asked(policy, seen("?", "?")).confidence == 0


def test_after_a_change_it_waits() -> None:
    policy = replace(POLICY, targets={CPU: 70.0})
    past = Past(changes=(Change(NOW - MINUTE_MS // 2, 3, 4),))
    held = asked(policy, seen(100, 100, 100, 100), past)
    assert (held.direction, held.unsmoothed) == ("hold", 6)
    assert "not so soon after a change" in held.reason
    assert asked(policy, seen(100, 100, 100, 100), past, NOW + MINUTE_MS).wanted == 6
    assert asked(policy, seen(10, 10, 10, 10), past, NOW + 4 * MINUTE_MS).wanted == 4
    assert asked(policy, seen(10, 10, 10, 10), past, NOW + 5 * MINUTE_MS).wanted == 2


def test_what_was_changed_before_the_clock_was_set_back_keeps_nothing_waiting() -> None:
    policy = replace(POLICY, targets={CPU: 70.0})
    past = Past(wanted=((NOW + 90 * MINUTE_MS, 9),), changes=(Change(NOW + 90 * MINUTE_MS, 3, 4),))
    assert asked(policy, seen(100, 100, 100, 100), past).wanted == 6
    assert asked(policy, seen(10, 10, 10, 10), past).wanted == 2


def test_down_only_when_it_was_so_for_long_enough() -> None:
    policy = replace(POLICY, targets={CPU: 70.0})
    past = Past(wanted=((NOW - 2 * MINUTE_MS, 4),))
    held = asked(policy, seen(10, 10, 10, 10), past)
    assert (held.direction, held.reason.endswith("not for long enough")) == ("hold", True)


def test_a_peak_that_is_foreseen_is_prepared_for() -> None:
    policy = replace(POLICY, targets={CPU: 70.0})
    soon = Foreseen(needed=5.2, at=NOW + 20 * MINUTE_MS, trust_pct=90)
    said = decide("shop", policy, seen(40, 40, 40), Past(), NOW, soon)
    assert (said.direction, said.wanted) == ("up", 6)
    assert "of peaks like it 90 % came as foretold" in said.reason
    assert said.confidence == 0.9
    kept = decide("shop", policy, seen(10, 10, 10, 10, 10, 10), Past(), NOW, soon)
    assert kept.direction == "hold", "none is taken away just before"


def test_a_pattern_that_was_often_wrong_is_not_believed() -> None:
    soon = Foreseen(needed=9, at=NOW + 20 * MINUTE_MS, trust_pct=50)
    said = decide("shop", replace(POLICY, targets={CPU: 70.0}), seen(40, 40, 40), Past(), NOW, soon)
    assert said.direction == "hold"


def test_presets_are_the_documented_ones() -> None:
    bounds = {name: preset(name) for name in ("default", "staging", "production")}
    assert [(p.min, p.max, p.targets) for p in bounds.values()] == [
        (2, 10, {CPU: 70, MEMORY: 80}),
        (2, 5, {CPU: 70}),
        (3, 10, {CPU: 60}),
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"min": 5, "max": 4}, "min must not be greater"),
        ({"targets": {CPU: 0.0}}, "above 0"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(POLICY, **wrong)
    with pytest.raises(ValueError, match="must lie below"):
        Gates(up={CPU: 50}, down={CPU: 60})


def test_only_what_may_still_matter_is_remembered() -> None:
    hour = 60 * MINUTE_MS
    past = Past(
        ((NOW - 2 * hour, 3), (NOW - MINUTE_MS, 4)),
        (Change(NOW - 9 * hour, 1, 2), Change(NOW - 3 * hour, 2, 3)),
    )
    kept = remembered(past, NOW)
    assert kept.wanted == ((NOW - MINUTE_MS, 4),)
    assert kept.changes == (Change(NOW - 3 * hour, 2, 3),), "the last change always matters"


# --- whatever is seen -------------------------------------------------------------------------------------------------

CPUS = st.lists(st.floats(0, 100) | st.none() | st.just("?"), max_size=15)
PASTS = st.builds(
    Past,
    st.lists(st.tuples(st.integers(NOW - 10 * MINUTE_MS, NOW), st.integers(2, 10)), max_size=5).map(tuple),
    st.lists(
        st.builds(Change, st.just(NOW - MINUTE_MS), st.integers(1, 9), st.integers(1, 9)), max_size=1
    ).map(tuple),
)
FORESEEN = st.none() | st.builds(Foreseen, st.floats(0, 50), st.just(NOW), st.floats(0, 100))


@given(CPUS, PASTS, FORESEEN)
def test_a_change_never_leads_outside_the_bounds(
    cpu: list[float | str | None], past: Past, foreseen: Foreseen | None
) -> None:
    said = decide("shop", POLICY, seen(*cpu), past, NOW, foreseen)
    if said.direction in ("up", "down"):
        assert POLICY.min <= said.wanted <= POLICY.max
    else:
        assert said.wanted == said.current


@given(CPUS, PASTS)
def test_none_is_taken_away_while_one_is_unknown(cpu: list[float | str | None], past: Past) -> None:
    assert asked(POLICY, seen(*cpu, "?"), past).direction != "down"


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=12),
    st.lists(st.floats(0, 60), min_size=12, max_size=12),
    PASTS,
)
def test_more_load_never_asks_for_fewer(cpu: list[float], more: list[float], past: Past) -> None:
    policy = replace(POLICY, targets={CPU: 70.0})
    heavier = [value + extra for value, extra in zip(cpu, more, strict=False)]
    assert asked(policy, seen(*heavier), past).wanted >= asked(policy, seen(*cpu), past).wanted


@given(st.floats(0, 5_000))
def test_slower_answers_never_ask_for_fewer(ms: float) -> None:
    policy = replace(POLICY, targets={CPU: 70.0})
    of_all: dict[str, Any] = {LATENCY: ms}
    slow = asked(policy, seen(20, 20, 20, 20, **of_all))
    assert slow.wanted >= asked(policy, seen(20, 20, 20, 20)).wanted
