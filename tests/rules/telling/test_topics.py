"""How a check stands and how long it takes are one problem, and what else it measures is another."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rules.model import Host
from rules.telling.topics import topic_of
from tests.rules.house import House, limit, remembered, stored

STATE, TOOK = 'check_state{check="shop",kind="http"}', 'http_total_ms{check="shop"}'
FAILING = limit("failing", "check_state", above={"warning": 0.0, "critical": 1.0})
SLOW = limit("slow", "http_total_ms", above={"warning": 1000.0, "critical": 5000.0})


@pytest.mark.parametrize(
    ("series", "topic"),
    [
        (STATE, "host:1/check:shop"),
        (TOOK, "host:1/check:shop"),
        ('icmp_rtt_avg_ms{check="shop"}', "host:1/check:shop"),
        ('http_phase_ms{check="shop",phase="connect"}', None),
        ('tls_left_days{check="shop"}', None),
        ('log_matches_10m{check="shop",pattern="errors"}', None),
        ("collector_rtt_ms", None),
        ('disk_used_pct{mount="/check=\\"x\\""}', None),
    ],
)
def test_what_is_one_and_what_is_for_itself(series: str, topic: str | None) -> None:
    subject = f"host:1/series:{series}"
    assert topic_of(subject) == (topic or subject)


def test_a_silent_host_and_what_many_have_in_common_are_what_they_were() -> None:
    assert [topic_of(subject) for subject in ("host:1", "check:shop", "group:role=web")] == [
        "host:1",
        "check:shop",
        "group:role=web",
    ]


@pytest.mark.parametrize("rules", [[FAILING, SLOW], [SLOW, FAILING]])
def test_a_check_that_is_slow_by_its_own_limit_and_by_a_rule_is_told_once(rules: list[object]) -> None:
    house = House(rules)  # type: ignore[arg-type]
    house.batch(0, {STATE: 1, TOOK: 2000})
    (first,) = house.notices
    assert {alert.rule for alert in first.alerts} == {"failing", "slow"}
    house.batch(10, {STATE: 2, TOOK: None})
    house.batch(20, {STATE: 0, TOOK: None})
    assert len(house.open_incidents) == 1, "how long it takes is not known yet"
    house.batch(30, {STATE: 0, TOOK: 20})
    assert house.told == [
        ("mail", "first", "warning"),
        ("mail", "escalated", "critical"),
        ("mail", "resolved", "critical"),
    ]
    assert house.open_incidents == []


def test_the_graver_of_the_two_is_what_is_told() -> None:
    house = House([FAILING, SLOW])
    house.batch(0, {STATE: 1, TOOK: 6000})
    assert house.told == [("mail", "first", "critical")]
    assert house.notices[0].title.startswith("CRITICAL h1: http total shop 6000 ms > 5000 ms")


def test_the_same_check_of_another_host_is_another_problem() -> None:
    house = House([FAILING, SLOW], hosts=[Host(1, "h1"), Host(2, "h2")])
    house.batch(0, {STATE: 1, TOOK: 2000})
    house.batch(0, {STATE: 1, TOOK: 2000}, host=2)
    assert [incident.key for incident in house.open_incidents] == ["host:1/check:shop", "host:2/check:shop"]


def test_an_incident_of_an_older_version_goes_on_under_its_key() -> None:
    house = House([FAILING, SLOW])
    house.batch(0, {STATE: 1, TOOK: 20})
    rest = stored(house.watch)
    rest.incidents = [replace(incident, key=f"host:1/series:{STATE}") for incident in rest.incidents]
    again = House([], watch=remembered([FAILING, SLOW], rest=rest, started_s=5))
    again._seq = {1: 10}
    for at_s in range(10, 200, 10):
        again.batch(at_s, {STATE: 1, TOOK: 20})
        again.tick(at_s + 1)
    again.batch(200, {STATE: 0, TOOK: 20})
    assert again.told == [("mail", "resolved", "warning")]
