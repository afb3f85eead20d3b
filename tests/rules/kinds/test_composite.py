"""When several rules together are bad, when that cannot be told, and what may not be written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rules.judging.engine import Rule
from rules.judging.judge import replace_rules
from rules.kinds import composite
from rules.model import ChannelView
from tests.rules.house import House, limit, remembered, stored

CPU, LOAD = "cpu_used_pct", "load1"
PARTS = [
    limit("cpu", CPU, above=80.0, severity="info"),
    limit("load", LOAD, above=10.0, severity="info"),
]


def both(**options: Any) -> composite.Rule:
    return composite.Rule(
        composite.Options(**{"name": "both", "rules": ["cpu", "load"], "severity": "critical", **options})
    )


@pytest.mark.parametrize(
    ("need", "firing", "unknown", "state", "sentence"),
    [
        (None, [], [], "ok", "none is bad"),
        (None, ["cpu"], [], "ok", "one of two is not all"),
        (None, ["cpu", "load", "other"], [], "bad", "all are"),
        (None, ["cpu"], ["load"], "unknown", "the other one decides, and is unknown"),
        (None, [], ["load"], "ok", "whatever it is, they are not all"),
        (None, ["cpu", "load"], ["load"], "bad", "one series of it is bad, another unknown: that is bad"),
        (1, ["load"], [], "bad", "any is enough"),
        (1, ["load"], ["cpu"], "bad", "... whatever the other one is"),
        (1, [], ["cpu"], "unknown", "... if it is known"),
    ],
)
def test_how_many_are_bad(
    need: int | None, firing: list[str], unknown: list[str], state: str, sentence: str
) -> None:
    rule = both(need=need)
    assert rule.verdict(rule.count(firing, unknown)).state == state, sentence


def test_it_rings_when_all_are_bad_at_once_and_is_over_with_the_first() -> None:
    house = House([*PARTS, both(for_s=10)])
    for at_s, cpu, load in [(0, 90, 1), (10, 10, 20), (20, 90, 20), (30, 90, 20), (40, 90, 20), (50, 90, 1)]:
        house.batch(at_s, {CPU: cpu, LOAD: load})
    assert [step for step in house.steps if step.startswith("both")] == [
        "both ok>pending",
        "both pending>firing",
        "both firing>ok",
    ]
    assert [(notice.reason, notice.title.partition(" (")[0]) for notice in house.notices] == [
        ("first", "CRITICAL h1: cpu and load at the same time"),
        ("resolved", "RESOLVED h1: cpu and load at the same time"),
    ]


def test_a_series_that_is_gone_leaves_it_unknown_and_then_over() -> None:
    house = House([*PARTS, both()])
    house.batch(0, {CPU: 90, LOAD: 20})
    for at_s in range(10, 50, 10):
        house.batch(at_s, {CPU: 90})
    assert house.stands("both") == "unknown"
    for at_s in range(50, 1_000, 10):
        house.batch(at_s, {CPU: 90})
    assert house.stands("both") == "ok"
    assert house.told == [("mail", "first", "critical"), ("mail", "resolved", "critical")]


def test_it_stands_after_a_start_and_is_cleared_away_with_its_rule() -> None:
    rules: list[Rule] = [*PARTS, both()]
    house = House(rules)
    house.batch(0, {CPU: 90, LOAD: 20})
    house.watch = remembered(rules, rest=stored(house.watch))
    house.batch(10, {CPU: 90, LOAD: 20})
    assert house.stands("both") == "firing"
    replace_rules(house.watch, PARTS, [ChannelView("mail")])
    house.tick(11)
    assert house.stands("both") == "ok"
    assert house.told == [("mail", "first", "critical"), ("mail", "resolved", "critical")]


def test_one_that_is_new_sees_what_is_bad_already() -> None:
    house = House(PARTS)
    house.batch(0, {CPU: 90, LOAD: 20})
    replace_rules(house.watch, [*PARTS, both()], [ChannelView("mail")])
    house.batch(10, {CPU: 90, LOAD: 20})
    assert house.stands("both") == "firing"


def test_its_words() -> None:
    rule = composite.Rule(composite.Options(name='a "b"', rules=["x", "y", "z"], need=2))
    assert rule.series == 'rules_firing{rule="a \\"b\\""}'
    assert rule.says(2) == "2 of x, y, z"
    house = House([*PARTS, both(need=1)])
    house.batch(0, {CPU: 90, LOAD: 2})
    assert house.notices[0].title.startswith("CRITICAL h1: 1 of cpu, load at the same time")
    assert math.isnan(rule.count(["x"], ["y"]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rules": ["cpu"]}, "rules needs 2 to 20 names"),
        ({"rules": ["cpu", "cpu"]}, "each of them once"),
        ({"rules": ["cpu", "both"]}, "must not name the rule itself"),
        ({"need": 0}, "need must be between 1 and 2"),
        ({"need": 3}, "need must be between 1 and 2"),
    ],
)
def test_what_may_not_be_written(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        both(**options)
