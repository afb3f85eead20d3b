"""Whether a series will reach its limit in time, whether that is worth a word, and when it is looked at."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.capacity.forecast import Forecast
from rules.judging.acts import Resolve, act
from rules.judging.judge import apply, replace_rules
from rules.judging.slow import AT_ONCE_MAX, due
from rules.kinds import forecast
from rules.model import RANK, ChannelView, Host
from tests.rules.house import T0, House, limit, remembered, stored

DISK = 'disk_used_pct{mount="/"}'
MINUTE, HOUR = 60, 3_600
FULL = {
    "metric": "disk_used_pct",
    "reaches": 100.0,
    "within_s": {"warning": 24.0 * HOUR, "critical": 4.0 * HOUR},
    "only_from": {"warning": 60.0, "critical": 80.0},
}


def filling(**options: Any) -> forecast.Rule:
    return forecast.Rule(forecast.Options(**{"name": "filling", **FULL, **options}))


def fills(hours: float) -> Forecast:
    return Forecast("fills", "", days=hours / 24)


STEADY = Forecast("steady", "", horizon_days=30)
NEAR_SIGHTED = Forecast("steady", "", horizon_days=0.5)
NOBODY_KNOWS = Forecast("unknown", "")


@pytest.mark.parametrize(
    ("level", "foretold", "state", "severity", "clings", "sentence"),
    [
        (70.0, fills(30), "ok", None, "warning", "30 hours are more than a day; an alert that stands stays"),
        (70.0, fills(37), "ok", None, None, "... until it is half as long again"),
        (70.0, fills(23), "bad", "warning", "warning", "within a day is a warning"),
        (70.0, fills(2), "bad", "warning", "warning", "at 70 % even two hours are no more than that"),
        (85.0, fills(2), "bad", "critical", "critical", "at 85 % they are critical"),
        (85.0, fills(5), "bad", "warning", "critical", "five are not, but critical stays what was critical"),
        (50.0, fills(2), "ok", None, None, "a disk with half of its room left is nobody's worry yet"),
        (58.0, fills(2), "ok", None, "warning", "a little inside of where it begins, what stands stays"),
        (56.0, fills(2), "ok", None, None, "... and a little further it is over"),
        (90.0, STEADY, "ok", None, None, "a disk that is full but does not grow is another rule's matter"),
        (90.0, NEAR_SIGHTED, "unknown", None, None, "who sees half a day ahead knows nothing of a whole one"),
        (90.0, NOBODY_KNOWS, "unknown", None, None, "where the past does not tell, that is unknown"),
        (50.0, NOBODY_KNOWS, "ok", None, None, "... unless it would not matter anyway"),
        (100.0, fills(0), "bad", "critical", "critical", "at the limit there is no time left"),
    ],
)
def test_what_is_made_of_a_forecast(
    level: float, foretold: Forecast, state: str, severity: str | None, clings: str | None, sentence: str
) -> None:
    verdict = filling().verdict_on(level, foretold)
    assert (verdict.state, verdict.severity, verdict.clings) == (state, severity, clings), sentence


outlooks = st.one_of(
    st.just(NOBODY_KNOWS),
    st.floats(0, 180).map(lambda days: Forecast("fills", "", days=days)),
    st.floats(0, 180).map(lambda days: Forecast("steady", "", horizon_days=days)),
)


@given(st.floats(-10, 110), outlooks, st.sampled_from([None, 0.0, 60.0, {"warning": 60.0, "critical": 80.0}]))
def test_what_is_not_worth_a_look_would_be_well_whatever_was_foretold(
    level: float, foretold: Forecast, only_from: Any
) -> None:
    rule = filling(only_from=only_from)
    if not rule.may_be_bad(level):
        assert rule.verdict_on(level, foretold).state == "ok"


@given(st.floats(-10, 110), outlooks, outlooks)
def test_less_time_is_never_less_grave(level: float, one: Forecast, other: Forecast) -> None:
    rule = filling()
    sooner, later = sorted((one, other), key=rule.value_of)
    if not any(math.isnan(rule.value_of(each)) for each in (one, other)):
        assert RANK[rule.verdict_on(level, sooner).severity] >= RANK[rule.verdict_on(level, later).severity]
        assert RANK[rule.verdict_on(level, sooner).clings] >= RANK[rule.verdict_on(level, sooner).severity]


def test_what_falls_is_the_same_upside_down() -> None:
    rule = filling(
        metric="store_free_pct", reaches=0.0, falling=True, only_from={"warning": 40.0, "critical": 20.0}
    )
    assert rule.verdict_on(30.0, fills(2)).severity == "warning"
    assert rule.verdict_on(10.0, fills(2)).severity == "critical"
    assert rule.verdict_on(50.0, fills(2)).state == "ok"


def grow(house: House, start_s: int, end_s: int, level: float, per_hour: float) -> float:
    """A sample a minute, a look whenever one is due; the level at the end."""
    for at_s in range(start_s, end_s, MINUTE):
        house.batch(at_s, {"load1": 1, DISK: level}, every_ms=60_000)
        house.look(at_s)
        level += per_hour / 60
    return level


def test_a_disk_that_runs_full_is_told_of_graver_and_over_when_room_is_made() -> None:
    house = House([filling(for_s=15.0 * MINUTE)], check_purity=False)
    level = grow(house, 0, 12 * HOUR, 50, 0.1)
    assert house.steps == [], "51 % and a year to go"
    level = grow(house, 12 * HOUR, 20 * HOUR, level, 3)
    assert house.told == [("mail", "first", "warning")]
    assert house.notices[0].title.startswith("WARNING h1: disk / will be at 100 % in about ")
    level = grow(house, 20 * HOUR, 25 * HOUR, level, 3)
    assert house.told[1:] == [("mail", "escalated", "critical")]
    grow(house, 25 * HOUR, 27 * HOUR, 40, 0.1)
    assert house.told[2:] == [("mail", "resolved", "critical")]
    assert house.stands("filling") == "ok"


def test_one_look_at_a_busy_hour_wakes_nobody() -> None:
    house = House([filling(for_s=15.0 * MINUTE)], check_purity=False)
    level = grow(house, 0, 24 * HOUR, 61, 0.01)
    level = grow(house, 24 * HOUR, 25 * HOUR, level, 10)
    grow(house, 25 * HOUR, 30 * HOUR, level, 0.01)
    assert house.told == []
    assert "filling ok>pending" in house.steps


def test_looking_changes_nothing_but_what_comes_of_it() -> None:
    house = House([filling()])
    for at_s in range(0, 3 * HOUR, MINUTE):
        house.batch(at_s, {DISK: 70 + at_s / 600}, every_ms=60_000)
    house.look(3 * HOUR)
    assert house.stands("filling") == "firing"
    (alert,) = house.open_alerts
    assert alert.subject == f"host:1/series:{DISK}"
    assert alert.value is not None
    assert alert.limit in (24 * HOUR, 4 * HOUR)


def burning(**options: Any) -> House:
    """A house in which the rule fires."""
    house = House([filling(**options)])
    grow(house, 0, 3 * HOUR, 75, 4)
    assert house.stands("filling") == "firing"
    return house


def test_a_sample_without_an_answer_leaves_the_alert_open() -> None:
    house = burning()
    for at_s in range(3 * HOUR, 3 * HOUR + 15 * MINUTE, MINUTE):
        house.batch(at_s, {DISK: None}, every_ms=60_000)
        house.look(at_s)
    assert house.stands("filling") == "unknown"
    assert len(house.open_alerts) == 1


def test_what_is_reported_no_more_is_unknown_and_then_over() -> None:
    house = burning()
    for at_s in range(3 * HOUR, 4 * HOUR, MINUTE):
        house.batch(at_s, {"load1": 1}, every_ms=60_000)
        house.look(at_s)
    assert house.told[-1][1] == "resolved"
    assert "no longer reported" in house.notices[-1].title


def test_a_silent_host_is_not_looked_at() -> None:
    house = burning()
    assert due(house.watch, T0 + 6 * HOUR * 1000) == []


def test_it_stands_after_a_start_and_late_batches_do_not_touch_it() -> None:
    house = burning()
    rows = house.rows
    house = House(
        [], watch=remembered([filling(), limit("load", "load1", above=5.0)], rest=stored(house.watch))
    )
    house.rows, house._seq[1] = rows, 1_000
    assert house.stands("filling") == "firing"
    house.batch(3 * HOUR, {DISK: 88, "load1": 1})
    house.batch(3 * HOUR - 30, {DISK: 88, "load1": 9}, arrived_s=3 * HOUR + 1)
    house.repair(3 * HOUR + 100)
    assert house.stands("filling") == "firing"


def test_it_is_cleared_away_with_its_rule_or_its_host() -> None:
    house = burning()
    replace_rules(house.watch, [], [ChannelView("mail")])
    house.tick(3 * HOUR)
    assert house.told[-1][1] == "resolved"
    assert "rule removed" in house.notices[-1].title
    house = burning()
    house.bye(3 * HOUR, "uninstall")
    assert house.stands("filling") == "ok"


def test_resolved_by_hand_it_stays_quiet_until_it_gets_graver() -> None:
    house = burning(only_from=60.0)
    (incident,) = house.open_incidents
    apply(house.watch, act(house.watch, Resolve(incident.id, "ada"), T0 + 3 * HOUR * 1000))
    grow(house, 3 * HOUR, 4 * HOUR, 87, 0.5)
    assert house.open_alerts == []


def test_hosts_are_spread_over_the_hour_and_few_at_a_time() -> None:
    house = House([filling()], hosts=[Host(n, f"h{n}") for n in range(1, 101)], check_purity=False)
    for host in range(1, 101):
        house.batch(0, {DISK: 10}, host=host)
    assert len(due(house.watch, T0)) == AT_ONCE_MAX
    looked: dict[int, list[int]] = {}
    for at_s in range(0, 4 * HOUR, MINUTE):
        for host in range(1, 101):
            house.batch(at_s + 1, {DISK: 10}, host=host)
        for outcome in house.look(at_s + 1):
            assert outcome.looked is not None
            looked.setdefault(outcome.looked, []).append(at_s)
    assert {len(times) for times in looked.values()} <= {4, 5}
    in_an_hour = [at_s // MINUTE % 60 for times in looked.values() for at_s in times[1:]]
    assert max(map(in_an_hour.count, in_an_hour)) < 40


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"within_s": 10.0}, "within needs a time from 1m to 183d"),
        ({"within_s": {}}, "within needs a time"),
        ({"within_s": {"warning": 3600.0}, "severity": "critical"}, "severity goes with a single time"),
        ({"within_s": {"warning": 3600.0, "critical": 7200.0}}, "a graver limit must be a shorter time"),
        ({"only_from": {"info": 10.0}}, "only_from can name the severities of within"),
        ({"only_from": 100.0}, "only_from must lie before what is reached"),
        ({"only_from": {"warning": 80.0, "critical": 60.0}}, "no sooner for what is graver"),
        ({"metric": "a b"}, "is not a series"),
    ],
)
def test_what_may_not_be_written(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        filling(**options)
