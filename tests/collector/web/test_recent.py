"""The last hour of a host's CPU as a small line: means of steps, gaps as gaps."""

from __future__ import annotations

import numpy as np

from collector.web.recent import HEIGHT, STEP_MS, STEPS, Recent
from rules.model import Arrival, Outcome

NOW = STEP_MS * 1_000
LAYOUT = ("cpu_used_pct", "load1")


def batch(at: int, value: float, layout: tuple[str, ...] = LAYOUT) -> Outcome:
    values = np.array([value, 1.0][: len(layout)], dtype=np.float64)
    return Outcome(arrival=Arrival(7, "spool", 0, 0, at, at, 10_000, 0, layout, values))


def drawn(*batches: Outcome, now: int = NOW) -> str:
    recent = Recent()
    recent.note(batches)
    return recent.path(7, now)


IDLE = [batch(NOW - n * STEP_MS, 0.0) for n in range(3, 0, -1)]
HALF_AT_LAST = f"M{STEPS - 4} {HEIGHT}L{STEPS - 3} {HEIGHT}L{STEPS - 2} {HEIGHT}L{STEPS - 1} {HEIGHT // 2}"


def test_each_step_is_drawn_at_its_mean() -> None:
    assert drawn(*IDLE, batch(NOW, 40.0), batch(NOW + 1, 60.0)) == HALF_AT_LAST


def test_a_few_steps_are_no_line_yet() -> None:
    assert drawn(*IDLE) == ""


def test_a_step_without_a_value_is_a_gap() -> None:
    path = drawn(
        *(batch(NOW - n * STEP_MS, value) for n, value in ((4, 100.0), (3, 100.0), (1, 0.0), (0, 0.0)))
    )
    assert path == f"M{STEPS - 5} 0L{STEPS - 4} 0M{STEPS - 2} {HEIGHT}L{STEPS - 1} {HEIGHT}"
    assert drawn(*IDLE, batch(NOW, float("nan"))) == ""


def test_what_is_older_than_the_last_hour_is_not_drawn() -> None:
    old = [batch(NOW - n * STEP_MS, 50.0) for n in range(3, -1, -1)]
    assert drawn(*old, now=NOW + 10 * STEP_MS).startswith("M6 ")
    assert drawn(*old, now=NOW + STEPS * STEP_MS) == ""


def test_what_comes_late_is_left_out() -> None:
    batches = [*IDLE, batch(NOW, 50.0)]
    assert drawn(*batches) == HALF_AT_LAST
    assert drawn(*batches, batch(NOW - STEP_MS, 100.0)) == drawn(*batches)


def test_a_host_without_cpu_or_with_other_series_by_now_does_no_harm() -> None:
    recent = Recent()
    recent.note([batch(NOW, 1.0, ("load1",)), Outcome()])
    assert recent.path(7, NOW) == ""
    assert recent.path(8, NOW) == ""
    recent.note([*IDLE, batch(NOW, 50.0)])
    assert recent.path(7, NOW) == HALF_AT_LAST
