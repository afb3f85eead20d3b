"""A story is judged by the very functions that judge the present, and so comes to the same."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collector.cli.rules.explain
import collector.cli.rules.replay
import collector.cli.rules.telling
import collector.cli.rules.whom
import collector.evaluator
import collector.evaluator.looking
import rules.judging.judge
import rules.judging.play
import rules.judging.slow
import rules.policy
import rules.telling.messages
from rules.fleet.shared import SharedCheck
from rules.judging.engine import Rule
from rules.judging.play import Player, checks_in, unheard
from rules.kinds import composite, flag, flapping, fleet, rate
from rules.model import ChannelView, Host, Outcome
from tests.rules.house import EVERY_MS, T0, House, limit, remembered, silence

CPU = "cpu_used_pct"
RULES: list[Rule] = [limit("cpu-high", CPU, above=80.0, for_s=20), silence()]


@pytest.mark.parametrize(
    ("names", "one", "others"),
    [
        (
            "judge apply tick repair repairs_due",
            rules.judging.judge,
            [rules.judging.play, collector.evaluator],
        ),
        (
            "due asked foretell judge_slow",
            rules.judging.slow,
            [rules.judging.play, collector.evaluator.looking],
        ),
        ("asked foretell", rules.judging.slow, [collector.cli.rules.explain]),
        ("decide", rules.policy, [rules.telling.messages, collector.cli.rules.whom]),
        ("Player", rules.judging.play, [collector.cli.rules.replay, collector.cli.rules.telling]),
    ],
)
def test_stories_replays_and_the_present_are_judged_by_the_same_functions(
    names: str, one: ModuleType, others: list[ModuleType]
) -> None:
    for name in names.split():
        for other in others:
            assert getattr(other, name) is getattr(one, name), f"{other.__name__} has a {name} of its own"


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


# --- whatever comes in time -------------------------------------------------------------------------------------------

CHECK = 'check_state{check="shop",kind="http"}'
SHOP = SharedCheck("shop", {}, need=2)
OF_ALL_KINDS: list[Rule] = [
    limit("cpu", CPU, above={"warning": 80.0, "critical": 95.0}, for_s=15),
    limit("load", "load1", above=5.0, severity="info"),
    limit("check", "check_state", above={"warning": 0.0, "critical": 1.0}, for_s=15),
    rate.Rule(rate.Options(name="rises", metric=CPU, above=1.0, over_s=20.0)),
    flapping.Rule(flapping.Options(name="flaps", metric="load1", above=2.0, over_s=60.0)),
    composite.Rule(composite.Options(name="both", rules=["cpu", "load"])),
    fleet.Rule(fleet.Options(name="many", rules=["cpu", "absent"], need=2, severity="critical")),
    flag.Rule(flag.Options(name="clock", flag="clock", for_s=15.0)),
    silence("absent"),
]
HOSTS = [Host(number, f"h{number}") for number in (1, 2, 3)]
says = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"load1": st.sampled_from([1.0, 9.0])},
        optional={
            CPU: st.sampled_from([10.0, 85.0, 97.0, float("nan")]),
            CHECK: st.sampled_from([0.0, 1.0, 2.0, float("nan")]),
        },
    ),
)


@given(st.lists(st.tuples(says, says, says), min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_a_replay_of_what_arrived_in_time_equals_what_was_said_live(
    story: list[tuple[dict[str, float] | None, ...]],
) -> None:
    live = House([], watch=remembered([], hosts=HOSTS), check_purity=False)
    live.watch.replace_rules(OF_ALL_KINDS, live.watch.channels, [SHOP])
    played: list[Outcome] = []
    player = Player(
        OF_ALL_KINDS, [ChannelView("mail")], HOSTS, start=T0, tick_ms=1_000, told=played.append, shared=[SHOP]
    )
    for place, values in enumerate(story):
        for host, said in enumerate(values, 1):
            if said is not None:
                at, row = T0 + place * EVERY_MS, np.array(list(said.values()))
                checks = checks_in(tuple(said), row, at)
                live.batch(place * 10, said, host=host, checks=checks)
                player.batch(host, at, EVERY_MS, tuple(said), row, checks)
        for second in range(1, 11):
            live.tick(place * 10 + second)
        player.until(T0 + (place + 1) * EVERY_MS)
    assert [step for outcome in played for step in outcome.transitions] == live.transitions
    told = [(notice.title, notice.reason) for outcome in played for notice in outcome.notices]
    assert told == [(notice.title, notice.reason) for notice in live.notices]
