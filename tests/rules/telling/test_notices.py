"""In which words people are told."""

from __future__ import annotations

from typing import Any

from rules.judging.judge import replace_rules
from rules.model import ChannelView, CheckAnswer, Host
from rules.policy import Policy
from rules.telling.notices import LISTED_MAX
from tests.rules.house import T0, House, limit, silence

MAIL, PAGER = ChannelView("mail"), ChannelView("pager", "critical")


DISK = 'disk_used_pct{mount="/var"}'
DISK_RULE = limit(
    "disk-full", "disk_used_pct", above={"warning": 85.0, "critical": 95.0}, runbook="https://wiki/disk"
)


def disk_house(**more: Any) -> House:
    return House([DISK_RULE, silence()], hosts=[Host(1, "db-3")], channels=[MAIL, PAGER], **more)


def test_the_titles_alone_say_enough() -> None:
    house = disk_house()
    house.batch(0, {DISK: 90})
    house.batch(14 * 60, {DISK: 96.2})
    house.batch(38 * 60, {DISK: 40})
    assert [f"{notice.channel}: {notice.title}" for notice in house.notices] == [
        "mail: WARNING db-3: disk /var 90 % > 85 % (since 02:00 UTC)",
        "mail: CRITICAL db-3: disk /var 96.2 % > 95 % (was warning, since 02:00 UTC)",
        "pager: CRITICAL db-3: disk /var 96.2 % > 95 % (since 02:00 UTC)",
        "mail: RESOLVED db-3: disk /var 96.2 % > 95 % (lasted 38 min)",
        "pager: RESOLVED db-3: disk /var 96.2 % > 95 % (lasted 38 min)",
    ]


def test_a_resolve_says_so_when_nobody_saw_it_get_well() -> None:
    house = disk_house()
    house.batch(0, {DISK: 96})
    for at_s in range(10, 16 * 60, 10):
        house.batch(at_s, {"load1": 1})
    notice = house.notices[-1]
    assert notice.title == "RESOLVED db-3: disk /var 96 % > 95 % (no longer reported, lasted 15 min)"
    assert (
        notice.text.splitlines()[-3]
        == "All over since 2026-11-20 02:15:00 UTC, after 15 min: no longer reported."
    )


def test_a_resolve_says_that_its_rule_is_no_more() -> None:
    house = disk_house()
    house.batch(0, {DISK: 96})
    house.tick(10)
    replace_rules(house.watch, [], [MAIL])
    house.tick(20)
    assert house.notices[-1].title == "RESOLVED db-3: disk /var 96 % > 95 % (rule removed, lasted 20 s)"


def test_labels_that_come_with_the_first_batch_are_in_its_message() -> None:
    house = House([limit("cpu", "cpu_used_pct", above=90.0, summary="{{role}} at {{value}} %")])
    house.batch(0, {"cpu_used_pct": 97}, labels={"role": "web"})
    assert house.notices[0].title == "WARNING h1: web at 97 % (since 02:00 UTC)"


def test_the_text_says_what_since_when_by_which_rule_and_what_to_do() -> None:
    house = disk_house()
    house.batch(0, {DISK: 96})
    assert house.notices[0].text.splitlines() == [
        "db-3: disk /var 96 % > 95 %",
        "  since 2026-11-20 02:00:00 UTC; critical, rule disk-full",
        "",
        "Runbook: https://wiki/disk",
    ]


def test_what_two_rules_say_alike_stands_there_once() -> None:
    also = limit("disk-exhausted", "disk_used_pct", above=90.0, severity="critical")
    soon = limit("disk-soon", "disk_used_pct", above=60.0, summary="look at {{mount}} one day")
    house = House([DISK_RULE, also, soon], hosts=[Host(1, "db-3")])
    house.batch(0, {DISK: 99})
    assert house.notices[0].text.splitlines()[:4] == [
        "db-3: disk /var 99 % > 95 %",
        "  since 2026-11-20 02:00:00 UTC; critical, rules disk-full and disk-exhausted",
        "db-3: look at /var one day",
        "  since 2026-11-20 02:00:00 UTC; warning, rule disk-soon",
    ]


def test_what_two_rules_say_alike_is_told_with_the_gravity_of_each() -> None:
    soon = limit("ends-soon", "left", below=7.0, severity="critical", summary="it ends in {{value}} days")
    house = House([limit("ends", "left", below=30.0, summary="it ends in {{value}} days"), soon])
    house.batch(0, {"left": 5})
    assert house.notices[0].text.splitlines() == [
        "h1: it ends in 5 days",
        "  since 2026-11-20 02:00:00 UTC; critical, rule ends-soon",
        "  since 2026-11-20 02:00:00 UTC; warning, rule ends",
    ]


def test_messages_go_by_the_clock_of_the_zone_that_is_set() -> None:
    house = disk_house(policy=Policy(zone="Europe/Berlin"))
    house.batch(0, {DISK: 96})
    house.tick(60)
    house.batch(23 * 3600, {DISK: 40})
    assert [notice.title for notice in house.notices if notice.channel == "mail"] == [
        "CRITICAL db-3: disk /var 96 % > 95 % (since 03:00 CET)",
        "CRITICAL db-3: no word from this host (since 03:00 CET)",
        "RESOLVED db-3: disk /var 96 % > 95 % (lasted 23 h)",
        "RESOLVED db-3: no word from this host (lasted 23 h)",
    ]


def test_a_check_is_told_with_what_it_said() -> None:
    house = House([limit("check", "check_state", above={"warning": 0.0, "critical": 1.0})])
    name = 'check_state{check="web",kind="http"}'
    house.batch(0, {name: 2}, checks=[CheckAnswer("web", "http", "bad", T0, 3.0, "connection refused")])
    assert (
        house.notices[0].title == "CRITICAL h1: check web (http) is bad: connection refused (since 02:00 UTC)"
    )


def test_a_title_is_one_line_whatever_a_check_said() -> None:
    house = House([limit("check", "check_state", above=1.0)])
    said = CheckAnswer("web", "http", "bad", T0, 3.0, "refused\n2026-11-20 ERROR all is lost")
    house.batch(0, {'check_state{check="web"}': 2}, checks=[said])
    assert "\n" not in house.notices[0].title
    assert house.open_alerts[0].summary.endswith("refused\n2026-11-20 ERROR all is lost")


def test_a_summary_of_ones_own_is_used_and_the_host_is_not_named_twice() -> None:
    rule = limit(
        "cpu", "cpu_used_pct", above=90.0, for_s=60, summary="CPU of {{host}} at {{value}} % for {{for}}"
    )
    house = House([rule])
    for at_s in range(0, 70, 10):
        house.batch(at_s, {"cpu_used_pct": 97})
    assert house.notices[0].title == "WARNING CPU of h1 at 97 % for 60 s (since 02:00 UTC)"


def test_the_id_says_what_it_is_about_and_is_never_used_twice() -> None:
    house = disk_house()
    for at_s, value in enumerate([90, 96, 90, 96, 40, 90, 96]):
        house.batch(at_s * 10, {DISK: value})
    ids = [notice.id for notice in house.notices]
    assert ids[:3] == [
        "wk-01234567-1-1-first-warning-mail",
        "wk-01234567-1-1-escalated-critical-mail",
        "wk-01234567-1-1-first-critical-pager",
    ]
    assert "wk-01234567-1-2-first-warning-mail" in ids
    assert len(set(ids)) == len(ids)


def test_a_notice_about_very_much_stays_small() -> None:
    hosts = [Host(1, "gw"), *(Host(number, f"h{number}", {"parent": "gw"}) for number in range(2, 200))]
    house = House([silence()], hosts=hosts, check_purity=False)
    for host in hosts:
        house.batch(0, {"load1": 1}, host=host.id)
    house.tick(31)
    (notice,) = house.notices
    assert len(notice.alerts) == LISTED_MAX
    assert len(notice.text) < 3_000
    assert "and 186 more" in notice.text
