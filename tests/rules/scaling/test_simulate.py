"""A policy played over a load: the counts are right, and ours does what it is there for."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from rules.scaling.model import CPU, MEMORY, ScalingPolicy
from rules.scaling.simulate import STARTUP_S, Curve, compare, reactive, run, still
from tests.rules.scaling import table
from tests.rules.scaling.curves import MINUTE_MS, SHAPES, daily, flash_crowd, slow_growth

POLICY = replace(table.POLICY, look_ahead=None)


def flat(load: float, minutes: int = 60) -> Curve:
    at = np.arange(minutes, dtype=np.int64) * MINUTE_MS
    return Curve(at, np.full(minutes, load))


def test_doing_nothing_is_counted_by_hand() -> None:
    found = run("nothing", still(POLICY), flat(4.0), start=4)
    assert (found.changes, found.instance_hours) == (0, 4.0)
    assert (found.above_target_s, found.full_s) == (3600, 0), "busy to 100 % all the time, and no more"
    assert found.used_pct.tolist() == [100.0] * 60


def test_too_much_work_is_not_shown_as_more_than_all() -> None:
    found = run("nothing", still(POLICY), flat(9.0), start=4)
    assert (found.full_s, found.used_pct.max()) == (3600, 100)


def test_a_new_instance_works_only_after_a_while() -> None:
    found = run("policy", POLICY, flat(2.9), start=3)
    added = int(np.flatnonzero(np.diff(found.instances))[0]) + 1
    assert found.instances[added] == 5
    waits = round(STARTUP_S / 60) - 1
    assert found.used_pct[added : added + waits] == pytest.approx([290 / 3] * waits)
    assert found.used_pct[added + waits + 1] == pytest.approx(58)


def test_steady_load_in_its_place_is_left_alone() -> None:
    assert run("policy", POLICY, flat(1.8, 600), start=3).changes == 0


def test_ours_sees_the_morning_coming_which_reacting_cannot() -> None:
    ahead, alone, hpa, nothing = table.runs(daily)
    assert ahead.above_target_s < alone.above_target_s / 2
    assert ahead.above_target_s < hpa.above_target_s / 2
    assert nothing.full_s > 10 * 3600
    assert ahead.changes < hpa.changes, "and it breathes less"


@pytest.mark.parametrize("shape", [flash_crowd, slow_growth])
def test_without_a_pattern_looking_ahead_costs_nothing(shape: object) -> None:
    ahead, alone, hpa, _ = table.runs(shape)  # type: ignore[arg-type]
    assert (ahead.above_target_s, ahead.changes) == (alone.above_target_s, alone.changes)
    assert ahead.changes < hpa.changes
    assert ahead.full_s <= hpa.full_s + 60


def test_the_table_has_every_load_by_every_way() -> None:
    rows = table.rows()
    assert len(rows) == 2 + 4 * len(SHAPES)


def test_without_look_ahead_there_is_one_run_fewer() -> None:
    assert [found.name for found in compare(POLICY, flat(2), 3)] == ["policy", "reactive HPA", "nothing"]
    assert reactive(ScalingPolicy(min=4)).min == 4


@pytest.mark.parametrize(
    ("policy", "minutes", "words"),
    [
        (POLICY, 1, "2 to 100,000 steps"),
        (POLICY, 100_001, "2 to 100,000 steps"),
        (replace(POLICY, targets={MEMORY: 80}), 10, f"no target for it|{CPU}"),
    ],
)
def test_what_cannot_be_played_is_refused(policy: ScalingPolicy, minutes: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run("policy", policy, flat(1, minutes), start=3)
