"""A story is judged by the very functions that judge the present, and so comes to the same."""

from __future__ import annotations

import numpy as np

import collector.evaluator
import rules.judge
import rules.play
from rules.model import ChannelView, Host, Outcome
from rules.play import Player, unheard
from tests.rules.house import EVERY_MS, T0, House, limit, silence

CPU = "cpu_used_pct"
RULES = [limit("cpu-high", CPU, above=80.0, for_s=20), silence()]


def test_stories_and_the_present_are_judged_by_the_same_functions() -> None:
    for name in ("judge", "apply", "tick"):
        assert getattr(rules.play, name) is getattr(rules.judge, name)
        assert getattr(collector.evaluator, name) is getattr(rules.judge, name)


def test_what_came_in_time_is_judged_as_it_was_live() -> None:
    values = [50, 90, 90, 90, 90, 10, 95, 95, 95]
    live = House(RULES)
    played: list[Outcome] = []
    player = Player(
        RULES, [ChannelView("mail")], [Host(1, "h1")], start=T0, tick_ms=1_000, told=played.append
    )
    for place, value in enumerate(values):
        live.batch(place * 10, {CPU: value})
        for second in range(1, 10):
            live.tick(place * 10 + second)
        player.batch(1, T0 + place * EVERY_MS, EVERY_MS, (CPU,), np.array([float(value)]))
    for now_s in range(90, 200):
        live.tick(now_s)
    player.until(T0 + 199_000)
    told = [(notice.title, notice.reason) for outcome in played for notice in outcome.notices]
    assert told == [(notice.title, notice.reason) for notice in live.notices]
    assert len(told) == 4, "high, over, high again, and then silent"
    assert [step for outcome in played for step in outcome.transitions] == live.transitions


def test_a_host_is_taken_as_it_was_before_it_was_ever_heard() -> None:
    host = Host(1, "h1", {"role": "db"}, arrived_at=T0, last_at=T0, flags=("shutdown",), every_ms=5_000)
    assert unheard(host) == Host(1, "h1", {"role": "db"}, every_ms=5_000)
