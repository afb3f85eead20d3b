"""A check that gives no answer is told of, and only for that long."""

from __future__ import annotations

import math

import pytest

from rules.judging.judge import replace_rules
from rules.kinds import unanswered
from rules.model import CheckAnswer, Series
from tests.rules.house import T0, House, limit, remembered, stored

CHECK = 'check_state{check="queue",kind="exec"}'
FAILING = limit("failing", "check_state", above={"warning": 0.0, "critical": 1.0})


def rule(**options: object) -> unanswered.Rule:
    return unanswered.Rule(unanswered.Options(**{"name": "mute", "for_s": 60.0, **options}))  # type: ignore[arg-type]


def say(house: House, at_s: float, state: float | None, detail: str = "", metric: str = CHECK) -> None:
    how = "unknown" if state is None else ("ok", "warn", "bad")[int(state)]
    answer = CheckAnswer("queue", "exec", how, T0 + round(at_s * 1000), detail=detail)  # type: ignore[arg-type]
    house.batch(at_s, {"load1": 1, metric: state}, checks=[answer])


@pytest.mark.parametrize(
    ("states", "stands", "sentence"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0], "ok", "it answers"),
        ([2, 2, 2, 2, 2, 2, 2, 2], "ok", "a bad answer is one"),
        ([0, None, None, None], "pending", "not for long yet"),
        ([0, None, None, None, None, None, None, None], "firing", "nothing for a minute"),
        ([0, None, None, None, 0, None, None, None], "pending", "one answer begins it anew"),
        ([None, None, None, None, None, None, None, 0], "ok", "over with the first answer"),
    ],
)
def test_it_is_bad_for_as_long_as_there_is_no_answer(
    states: list[float | None], stands: str, sentence: str
) -> None:
    house = House([rule()])
    for place, state in enumerate(states):
        say(house, place * 10, state)
    assert house.stands("mute") == stands, sentence


def test_its_message_says_why_and_has_an_end() -> None:
    house = House([rule()])
    for place in range(7):
        say(house, place * 10, None, "check_queue: No such file or directory")
    say(house, 70, 0)
    (first, resolved) = house.notices
    assert first.title == (
        "WARNING h1: check queue (exec) gives no answer: check_queue: No such file or directory (since 02:00 UTC)"
    )
    assert (first.alerts[0].value, first.alerts[0].limit) == (None, None)
    assert resolved.reason == "resolved"


def test_a_check_that_was_bad_and_then_says_nothing_is_one_incident() -> None:
    house = House([rule(), FAILING])
    say(house, 0, 2, "3 wait")
    for place in range(1, 10):
        say(house, place * 10, None)
    assert len(house.open_incidents) == 1
    assert house.told == [("mail", "first", "critical")]
    say(house, 100, 0)
    assert house.told[-1] == ("mail", "resolved", "critical")


def test_it_goes_on_after_a_restart() -> None:
    house = House([rule()])
    for place in range(7):
        say(house, place * 10, None)
    again = House([], watch=remembered([rule()], rest=stored(house.watch), started_s=65))
    again._seq = {1: 100}
    say(again, 70, None)
    say(again, 80, 0)
    assert again.told == [("mail", "resolved", "warning")]


def test_a_rule_that_is_taken_away_ends_what_it_said() -> None:
    house = House([rule()])
    for place in range(7):
        say(house, place * 10, None)
    replace_rules(house.watch, [], house.watch.channels, [])
    house.tick(80)
    assert house.open_alerts == []


def test_any_series_may_be_meant() -> None:
    disk = 'disk_used_pct{mount="/srv"}'
    house = House([rule(metric='disk_used_pct{mount="/srv"}', for_s=0.0, severity="critical")])
    house.batch(0, {disk: None, 'disk_used_pct{mount="/"}': None})
    (notice,) = house.notices
    assert notice.title == "CRITICAL h1: disk /srv has no value (since 02:00 UTC)"


def test_a_metric_that_is_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match="disk used"):
        rule(metric="disk used{")


def test_what_it_says_of_numbers_never_changes() -> None:
    assert rule().verdict(7.0).state == "ok"
    assert rule().calm(None) == (-math.inf, math.inf)
    assert rule().breach(Series.parse(CHECK), None, None, "") == "check queue (exec) gives no answer"
