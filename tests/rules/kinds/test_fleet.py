"""How many hosts are bad at the same time, of how many, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from rules.judging.acts import Resolve, act
from rules.judging.engine import Rule
from rules.judging.judge import apply, replace_rules
from rules.kinds import fleet
from rules.model import ChannelView, Host
from rules.policy import Policy, Route
from rules.sla.model import CheckPart, ServiceOptions
from tests.rules.house import T0, House, limit, remembered, silence, stored

CPU, LOAD = "cpu_used_pct", "load1"
CPU_HIGH = limit("cpu", CPU, above=80.0, severity="info")
LOAD_HIGH = limit("load", LOAD, above=10.0, severity="info")
WEB = [Host(number, f"web-{number}", {"role": "web", "site": "ab"[number % 2]}) for number in range(1, 6)]


def so_many(**options: Any) -> fleet.Rule:
    given = {"name": "many", "rules": ["cpu"], "need": 2, "severity": "critical", "where": {"role": "web"}}
    if "need_pct" in options or isinstance(options.get("need"), dict):
        del given["need"], given["severity"]
    return fleet.Rule(fleet.Options(**{**given, **options}))


@pytest.mark.parametrize(
    ("options", "bad", "unknown", "size", "state", "severity", "sentence"),
    [
        ({}, 1, 0, 5, "ok", None, "one of five is not two"),
        ({}, 2, 0, 5, "bad", "critical", "two are"),
        ({}, 1, 1, 5, "unknown", None, "the one of which nothing is known would decide"),
        ({}, 2, 3, 5, "bad", "critical", "whatever the others are"),
        ({}, 0, 1, 5, "ok", None, "were it bad, it would be the only one"),
        ({}, 0, 0, 0, "ok", None, "there is no host yet"),
        ({"need": {"warning": 2, "critical": 4}}, 3, 1, 5, "bad", "warning", "graver is only what is known"),
        ({"need": {"warning": 2, "critical": 4}}, 4, 0, 5, "bad", "critical", "and four are known"),
        ({"need_pct": {"warning": 40.0, "critical": 60.0}}, 2, 0, 5, "bad", "warning", "40 % is enough"),
        ({"need_pct": {"warning": 40.0, "critical": 60.0}}, 1, 0, 5, "ok", None, "20 % is not"),
        ({"need_pct": 50.0}, 1, 1, 3, "unknown", None, "a share is one of all that are counted"),
    ],
)
def test_how_many_are_enough(
    options: dict[str, Any],
    bad: int,
    unknown: int,
    size: int,
    state: str,
    severity: str | None,
    sentence: str,
) -> None:
    verdict = so_many(**options).verdict(bad, unknown, size)
    assert (verdict.state, verdict.severity) == (state, severity), sentence


@pytest.mark.parametrize(
    ("match", "firing", "unknown", "word", "sentence"),
    [
        ("any", [], [], "ok", "no rule is bad"),
        ("any", ["load"], [], "bad", "one of them is enough"),
        ("any", [], ["load"], "unknown", "and may be"),
        ("any", ["other"], [], "ok", "it is about those that are named"),
        ("all", ["load"], [], "ok", "one is not all"),
        ("all", ["load"], ["cpu"], "unknown", "the other one decides"),
        ("all", ["load", "cpu"], ["cpu"], "bad", "one series of it is bad, another unknown: that is bad"),
    ],
)
def test_what_makes_a_host_bad(
    match: str, firing: list[str], unknown: list[str], word: str, sentence: str
) -> None:
    assert so_many(rules=["cpu", "load"], match=match).word(firing, unknown) == word, sentence


@pytest.mark.parametrize(
    ("options", "labels", "subject", "sentence"),
    [
        ({}, {"role": "web"}, "group:role=web", "all that `where` means are one group"),
        ({"where": {}}, {}, "group:all", "without it every host is"),
        ({"where": {"role": ["web", "api"]}}, {"role": "api"}, "group:role=web|api", "a list is one as well"),
        ({"by": "site"}, {"site": "oslo"}, "group:site=oslo", "by a label, each of its values is one"),
        ({"by": "service"}, {"service": "shop"}, "service:shop", "services are called by their names"),
        ({"by": "site"}, {}, None, "a host without the label is in none"),
    ],
)
def test_what_a_host_is_counted_to(
    options: dict[str, Any], labels: dict[str, str], subject: str | None, sentence: str
) -> None:
    assert so_many(**options).subject(labels) == subject, sentence


# --- over hosts -------------------------------------------------------------------------------------------------------


def webs(*rules: Any, **more: Any) -> House:
    house = House([CPU_HIGH, LOAD_HIGH, *rules], hosts=WEB, **more)
    say(house, 0)
    return house


def say(house: House, at_s: float, *bad: int, hosts: tuple[int, ...] = (1, 2, 3, 4, 5)) -> None:
    """Each host reports, those in `bad` a busy processor; then time passes a little."""
    for host in hosts:
        house.batch(at_s, {CPU: 90 if host in bad else 10, LOAD: 1}, host=host)
    house.tick(at_s + 1)


def test_it_is_one_alert_one_incident_and_one_message_that_names_them() -> None:
    house = webs(so_many())
    say(house, 10, 2)
    assert house.told == []
    say(house, 20, 2, 4)
    assert house.told == [("mail", "first", "critical")]
    (notice,) = house.notices
    assert notice.title.startswith(
        "CRITICAL 2 of 5 hosts of role=web bad (cpu): web-2, web-4 (since 02:00 UTC)"
    )
    (incident,) = [one for one in house.open_incidents if one.key == "group:role=web"]
    assert [alert.subject for alert in notice.alerts] == [incident.key]
    say(house, 30, 2)
    assert house.told[-1] == ("mail", "resolved", "critical")
    assert {alert.rule for alert in house.open_alerts} == {"cpu"}, "the other rules speak for themselves"


def test_it_must_last_and_the_tick_says_when_it_has() -> None:
    house = webs(so_many(for_s=60.0))
    say(house, 10, 2, 4)
    assert house.watch.gathered["many", "group:role=web"].state == "pending"
    for at_s in (30, 50, 60):
        say(house, at_s, 2, 4)
    house.tick(70)
    assert house.told == []
    house.tick(71)
    assert house.told == [("mail", "first", "critical")]


def test_more_of_them_is_graver_and_fewer_is_over() -> None:
    house = webs(so_many(need={"warning": 2, "critical": 4}))
    say(house, 10, 1, 2)
    say(house, 20, 1, 2, 3, 4)
    say(house, 30, 1)
    assert [(reason, severity) for _, reason, severity in house.told] == [
        ("first", "warning"),
        ("escalated", "critical"),
        ("resolved", "critical"),
    ]


def test_each_value_of_a_label_is_counted_by_itself() -> None:
    house = webs(so_many(by="site"))
    say(house, 10, 1, 2)
    assert house.told == [], "one in each of two sites"
    say(house, 20, 2, 4)
    assert [alert.subject for alert in house.open_alerts if alert.rule == "many"] == ["group:site=a"]


def test_a_silent_host_is_unknown_unless_silence_is_what_is_counted() -> None:
    house = webs(so_many(), silence(severity="info"), so_many(name="gone", rules=["cpu", "absent"]))
    say(house, 10, 2)
    for at_s in range(20, 60, 10):
        say(house, at_s, 2, hosts=(2, 3, 4, 5))
    assert house.watch.gathered["many", "group:role=web"].state == "unknown"
    assert house.watch.gathered["gone", "group:role=web"].state == "firing"


def test_a_host_that_stopped_as_planned_or_never_came_is_not_counted() -> None:
    house = House([CPU_HIGH, so_many(need_pct=50.0)], hosts=WEB)
    say(house, 0, hosts=(1, 2, 3, 4))
    for host in (3, 4):
        house.bye(5, "shutdown", host=host)
    for at_s in range(10, 60, 10):
        say(house, at_s, 2, hosts=(1, 2))
    assert "1 of 2 hosts" in house.notices[0].title


def test_it_goes_on_where_it_was_after_a_start() -> None:
    rules: list[Rule] = [CPU_HIGH, LOAD_HIGH, so_many()]
    house = webs(so_many())
    say(house, 10, 2, 4)
    again = House([], watch=remembered(rules, rest=stored(house.watch), started_s=20))
    again._seq = dict.fromkeys(range(1, 6), 10)
    again.tick(21)
    say(again, 30, 2, 4)
    assert again.told == []
    say(again, 40, 2)
    assert again.told == [("mail", "resolved", "critical")]


def test_it_is_cleared_away_with_its_rule_and_with_its_last_host() -> None:
    house = webs(so_many())
    say(house, 10, 2, 4)
    replace_rules(house.watch, [CPU_HIGH], [ChannelView("mail")])
    house.tick(12)
    assert house.told[-1] == ("mail", "resolved", "critical")
    assert "rule removed" in house.notices[-1].title
    assert house.watch.gathered == {}


def test_resolved_by_hand_it_says_nothing_until_it_was_over_once() -> None:
    house = webs(so_many())
    say(house, 10, 2, 4)
    (incident,) = [one for one in house.open_incidents if one.key == "group:role=web"]
    apply(house.watch, act(house.watch, Resolve(incident.id, "ada"), T0 + 15_000))
    say(house, 20, 2, 4)
    assert house.told == [("mail", "first", "critical")]
    say(house, 30)
    say(house, 700, 2, 4)
    assert [reason for _, reason, _ in house.told] == ["first", "first"]


def test_routes_see_what_the_hosts_have_in_common() -> None:
    shop = ServiceOptions(name="shop", checks=[CheckPart(id="x")])
    policy = Policy(
        routes=[Route(where={"role": "web"}, channels=("mail",)), Route(channels=())],
        services=[shop],
    )
    house = webs(so_many(), policy=policy)
    say(house, 10, 2, 4)
    assert house.told == [("mail", "first", "critical")]


def test_its_words_can_be_written() -> None:
    house = webs(so_many(summary="{{value}} (of {{limit}}) of {{host}} are busy: {{detail}}"))
    say(house, 10, 2, 4, 5)
    assert house.notices[0].title.startswith("CRITICAL 3 (of 2) of role=web are busy: 3 of 5 hosts")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rules": []}, "rules needs 1 to 20 names"),
        ({"rules": ["cpu", "cpu"]}, "each of them once"),
        ({"rules": ["many"]}, "must not name the rule itself"),
        ({"need_pct": 50.0, "need": 2}, "give either need"),
        ({"need": {"warning": 2}, "severity": "critical"}, "severity goes with a single number"),
        ({"need": 0}, "need must be 1 or more"),
        ({"need_pct": 101.0}, "need_pct between 1 and 100"),
        ({"need": {"warning": 3, "critical": 2}}, "what is graver must need more hosts"),
    ],
)
def test_what_may_not_be_written(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        so_many(**options)
