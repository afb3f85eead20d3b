"""From decisions to messages: titles, several problems in one, and what becomes of a problem that comes and goes."""

from __future__ import annotations

from rules.judging.judge import replace_rules
from rules.model import ChannelView, Host, Line
from rules.policy import Maintenance, Policy, Route, Step
from tests.rules.house import T0, House, limit, remembered, stored

DISK = limit("disk", "disk_used_pct", above={"warning": 85.0, "critical": 95.0})
MAIL = ChannelView("mail")
HOSTS = [Host(number, f"h{number}", {"site": "lyon" if number < 4 else "oslo"}) for number in range(1, 7)]
VALUES = {"bad": 90.0, "worse": 99.0, "fine": 10.0}


def house(policy: Policy | None = None, **more: object) -> House:
    return House([DISK], hosts=HOSTS, policy=policy, check_purity=False, **more)  # type: ignore[arg-type]


def says(house: House, at_s: float, host: int, how: str) -> None:
    house.batch(at_s, {"disk_used_pct": VALUES[how]}, host=host)


def titles(house: House) -> list[str]:
    return [notice.title for notice in house.notices]


def test_what_comes_and_goes_every_ten_seconds_is_told_in_a_handful_of_messages() -> None:
    flapping = house()
    for turn in range(60):
        says(flapping, turn * 20, 1, "bad")
        says(flapping, turn * 20 + 10, 1, "fine")
        flapping.tick(turn * 20 + 10)
    flapping.tick(1190 + 599)
    assert [reason for _, reason, _ in flapping.told] == ["first", "resolved", "first", "resolved", "first"]
    assert titles(flapping)[-1] == "WARNING h1: disk 90 % > 85 % (keeps coming and going, since 02:00 UTC)"
    flapping.tick(1190 + 600)
    assert flapping.told[-1] == ("mail", "resolved", "warning")
    assert titles(flapping)[-1] == "RESOLVED h1: disk 90 % > 85 % (kept coming and going, lasted 19 min)"
    assert len(flapping.notices) == 6


def test_a_problem_that_is_there_most_of_the_time_does_not_flap() -> None:
    steady = house()
    for turn in range(4):
        says(steady, turn * 3600, 1, "bad")
        says(steady, turn * 3600 + 3300, 1, "fine")
    assert [reason for _, reason, _ in steady.told] == ["first", "resolved"] * 4


def test_it_is_told_again_and_further_while_nobody_acknowledges_it() -> None:
    steps = (Step(after_s=900, channels=("boss",)), Step(after_s=1800, channels=("mail",)))
    route = Route(channels=("mail",), repeat_s={"warning": 3600.0}, escalate=steps)
    told = house(Policy(routes=[route]), channels=[MAIL, ChannelView("boss")])
    says(told, 0, 1, "bad")
    for minute in range(1, 100):
        told.tick(minute * 60)
    assert [(notice.channel, notice.title.partition("(")[2]) for notice in told.notices] == [
        ("mail", "since 02:00 UTC)"),
        ("boss", "nobody has acknowledged it for 15 min, since 02:00 UTC)"),
        ("mail", "nobody has acknowledged it for 30 min, since 02:00 UTC)"),
        ("boss", "still, since 02:00 UTC)"),
        ("mail", "still, since 02:00 UTC)"),
    ]
    ids = [notice.id.removeprefix("wk-01234567-1-1-") for notice in told.notices]
    assert ids == [
        "first-warning-mail",
        "first-warning-boss",
        "escalated-warning-2-mail",
        "repeat-warning-2-boss",
        "repeat-warning-3-mail",
    ]


def test_problems_of_one_group_come_in_one_message_and_end_in_one() -> None:
    told = house(Policy(routes=[Route(channels=("mail",), group_by=("site",), group_wait_s=30)]))
    for host in (1, 2, 3, 5):
        says(told, host, host, "bad")
    says(told, 5, 3, "worse")
    told.tick(30)
    assert told.notices == []
    told.tick(31)
    told.tick(35)
    assert titles(told) == [
        "CRITICAL 3 problems: h3: disk 99 % > 95 %; h1: disk 90 % > 85 %; h2: disk 90 % > 85 %",
        "WARNING h5: disk 90 % > 85 % (since 02:00 UTC)",
    ]
    together, alone = told.notices
    assert (together.reason, alone.reason) == ("digest", "first")
    assert together.about == [
        Line(3, "first", "critical", "h3: disk 99 % > 95 %"),
        Line(1, "first", "warning", "h1: disk 90 % > 85 %"),
        Line(2, "first", "warning", "h2: disk 90 % > 85 %"),
    ]
    assert together.text.splitlines()[1] == "WARNING h1: disk 90 % > 85 % (since 02:00 UTC)"
    for host in (1, 2, 3):
        says(told, 60 + host, host, "fine")
    told.tick(91)
    assert titles(told)[-1] == (
        "RESOLVED 3 problems: h3: disk 99 % > 95 %; h1: disk 90 % > 85 %; h2: disk 90 % > 85 %"
    )
    assert told.notices[-1].resolved_at is not None


def test_beyond_the_cap_problems_wait_for_one_message_that_lists_them() -> None:
    told = house(channels=[ChannelView("mail", per_hour=2)])
    for host in range(1, 7):
        says(told, host, host, "bad")
    says(told, 20, 5, "fine")
    says(told, 30, 1, "fine")
    assert [reason for _, reason, _ in told.told] == ["first", "first", "resolved"]
    held = told.watch.incidents[4].withheld
    assert [(entry.channel, entry.why) for entry in held] == [("mail", "cap")]
    told.tick(602)
    told.tick(603)
    (digest,) = [notice for notice in told.notices if notice.reason == "digest"]
    assert [line.incident for line in digest.about] == [3, 4, 6], "what was over by then is not in it"
    assert digest.title.startswith("WARNING 3 problems: ")
    says(told, 700, 3, "fine")
    assert told.told[-1][1] == "digest", "the end of what had no message of its own is told together, too"
    says(told, 720, 4, "fine")
    told.tick(1300)
    assert told.notices[-1].title == "RESOLVED 2 problems: h3: disk 90 % > 85 %; h4: disk 90 % > 85 %"


def test_after_an_hour_there_is_room_again() -> None:
    told = house(channels=[ChannelView("mail", per_hour=1)])
    says(told, 0, 1, "bad")
    says(told, 3599, 2, "bad")
    says(told, 3600, 3, "bad")
    assert [notice.host for notice in told.notices] == ["h1", "h3"]


def test_a_rule_that_is_only_tried_leaves_alerts_and_tells_nobody() -> None:
    tried = limit("disk", "disk_used_pct", above=85.0, observe=True)
    told = House([tried], hosts=HOSTS, check_purity=False)
    says(told, 0, 1, "bad")
    (incident,) = told.open_incidents
    assert (told.notices, [entry.why for entry in incident.withheld]) == ([], ["observe"])
    replace_rules(told.watch, [DISK], [MAIL])
    told.tick(10)
    assert [reason for _, reason, _ in told.told] == ["first"], "from the moment it counts"


def test_a_label_that_comes_with_the_first_batch_counts_for_routes() -> None:
    told = house(Policy(routes=[Route(where={"role": "web"}, channels=("mail",))]))
    told.batch(0, {"disk_used_pct": 90.0}, labels={"role": "web"})
    assert len(told.notices) == 1


def test_quiet_hours_survive_a_restart_and_the_morning_is_one_message() -> None:
    night = Policy(quiet_hours="daily 01:00 to 03:00")
    told = house(night)
    says(told, 0, 1, "bad")
    says(told, 1, 2, "bad")
    says(told, 2, 3, "bad")
    says(told, 60, 3, "fine")
    again = House(
        [], watch=remembered([DISK], policy=night, rest=stored(told.watch), started_s=100), check_purity=False
    )
    again.tick(101)
    again.tick(3599)
    assert again.notices == told.notices == []
    again.tick(3600)
    assert titles(again) == ["WARNING 2 problems: h1: disk 90 % > 85 %; h2: disk 90 % > 85 %"]


def test_a_policy_that_is_replaced_holds_with_the_next_tick() -> None:
    told = house(Policy(maintenance=[Maintenance(name="work", when="daily 00:00 to 24:00")]))
    says(told, 0, 1, "bad")
    told.watch.replace_policy(Policy())
    told.tick(1)
    assert [reason for _, reason, _ in told.told] == ["first"]


def test_of_very_many_problems_that_wait_so_many_are_told_at_a_time() -> None:
    hosts = [Host(number, f"h{number}") for number in range(1, 701)]
    capped = [ChannelView("mail", per_hour=1)]
    told = House([DISK], hosts=hosts, channels=capped, check_purity=False)
    for host in hosts:
        says(told, 0, host.id, "bad")
    for now_s in (600, 601, 602):
        told.tick(now_s)
    first, *digests = told.notices
    assert (first.reason, [len(digest.about) for digest in digests]) == ("first", [500, 199])


def test_a_clock_that_is_set_back_keeps_nothing_from_anybody_for_longer_than_it_may() -> None:
    told = house(
        Policy(routes=[Route(channels=("mail",), group_by=("site",))]),
        channels=[ChannelView("mail", per_hour=1)],
    )
    says(told, 86_400, 1, "bad")
    says(told, 86_401, 5, "bad")
    told.tick(86_431)
    assert [(notice.host, notice.reason) for notice in told.notices] == [("h1", "first")]
    told.watch.listen_from(T0)
    told.tick(1)
    says(told, 2, 2, "bad")
    told.tick(32)
    told.tick(33)
    assert [notice.host for notice in told.notices] == ["h1", "h5"], (
        "what was sent tomorrow is not counted today"
    )
    told.tick(700)
    assert told.notices[-1].host == "h2"


def test_no_storm_of_warnings_holds_back_what_is_critical() -> None:
    told = house(channels=[ChannelView("mail", per_hour=2)])
    for host in range(1, 5):
        says(told, host, host, "bad")
    for host in (5, 6):
        says(told, host, host, "worse")
    says(told, 10, 1, "worse")
    assert [(notice.host, notice.severity, notice.reason) for notice in told.notices] == [
        ("h1", "warning", "first"),
        ("h2", "warning", "first"),
        ("h5", "critical", "first"),
        ("h6", "critical", "first"),
    ]
    assert [entry.why for entry in told.watch.incidents[1].withheld] == ["cap"], (
        "of those there are enough, too"
    )
