"""The collector dies, or is away for a while, at bad moments: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from collector.notifier.teller import OVERTAKEN
from tests.system import load
from tests.system.far_side import FarSide
from tests.system.harness import Collector, Stage, sees_well
from tests.system.programs import wait_until
from tests.system.shop import SHOP_DOWN, shop_check, watched

ROUNDS = 10
HOSTS = 6
LOOK_ON_S = 2.0


def ids_received(far_side: FarSide, channel: str) -> list[str]:
    """The notice ids that the far side got by this channel, in order."""
    if channel == "mail":
        return [mail.headers["X-Watchkeeper-Notice"] for mail in far_side.of_kind("mail")]
    return [post.headers["Idempotency-Key"] for post in far_side.of_kind("post")]


def breach(stage: Stage, channels: list[dict[str, Any]]) -> Collector:
    """A collector that is told of a shop which has just stopped."""
    service = stage.service()
    collector, _ = watched(stage, service, channels=channels)
    service.stop()
    return collector


# --- between the commit and the notice --------------------------------------------------------------------------------


def test_killed_after_the_commit_and_before_the_first_try_it_is_sent_once_by_the_next_run(
    stage: Stage,
) -> None:
    # A channel sends one notice after the other. While it hangs over the shop's, that of the till is only committed.
    far_side, shop, till = stage.far_side(), stage.service(), stage.service()
    far_side.behave(http="hang")
    till_down = {**SHOP_DOWN, "name": "till-down", "metric": 'check_state{check="till"}'}
    collector = stage.collector(rules=[SHOP_DOWN, till_down], channels=[far_side.hook_channel])
    collector.start()
    checks = [shop_check(shop), shop_check(till, "till")]
    stage.agent("web-1", collector.add_host("web-1"), checks=checks).start()
    wait_until("the till to be seen well", lambda: sees_well(collector, "till"))
    shop.stop()
    wait_until(
        "the shop's notice to hang", lambda: [row["delivery"] for row in collector.notices()] == ["sending"]
    )
    till.stop()
    wait_until("the till's notice", lambda: len(collector.notices()) == 2)
    collector.kill()
    of_shop, of_till = collector.notices()
    assert (of_till["delivery"], of_till["tries"]) == ("waiting", 0)

    far_side.behave(http="accept")
    collector.start()
    wait_until("both to be sent", lambda: [row["delivery"] for row in collector.notices()] == ["sent"] * 2)
    time.sleep(LOOK_ON_S)
    assert sorted(ids_received(far_side, "hook")) == sorted([of_shop["id"], of_till["id"]])
    assert [bool(row["perhaps_again"]) for row in collector.notices()] == [True, False]


def test_killed_after_the_commit_and_before_a_notice_got_through_it_is_sent_once_by_the_next_run(
    stage: Stage,
) -> None:
    far_side = stage.far_side()
    far_side.behave(smtp="busy", http="status:503")
    collector = breach(stage, [far_side.mail_channel, far_side.hook_channel])
    wait_until(
        "both notices tried in vain and waiting",
        lambda: [row["delivery"] for row in collector.notices() if row["tries"]] == ["waiting"] * 2,
    )
    collector.kill()
    owed = {row["channel"]: row["id"] for row in collector.notices()}
    assert far_side.received == []

    far_side.behave(smtp="accept", http="accept")
    collector.start()
    wait_until("both to be sent", lambda: [row["delivery"] for row in collector.notices()] == ["sent"] * 2)
    time.sleep(LOOK_ON_S)
    assert ids_received(far_side, "mail") == [owed["mail"]]
    assert ids_received(far_side, "hook") == [owed["hook"]]
    assert [bool(row["perhaps_again"]) for row in collector.notices()] == [False] * 2


def test_killed_after_the_far_side_took_it_and_before_that_was_written_down_it_says_so(stage: Stage) -> None:
    far_side = stage.far_side()
    far_side.behave(smtp="hang-after-data", http="hang-after-body")
    collector = breach(stage, [far_side.mail_channel, far_side.hook_channel])
    wait_until("both taken by the far side", lambda: len(far_side.received) == 2)
    collector.kill()
    assert [row["delivery"] for row in collector.notices()] == ["sending"] * 2

    far_side.behave(smtp="accept", http="accept")
    collector.start()
    wait_until("both to be sent", lambda: [row["delivery"] for row in collector.notices()] == ["sent"] * 2)
    time.sleep(LOOK_ON_S)
    for channel in ("mail", "hook"):
        (row,) = collector.notices(channel)
        assert ids_received(far_side, channel) == [row["id"]] * 2
        assert row["perhaps_again"]
    first, again = far_side.of_kind("mail")
    assert "You may have had this before" in again.text
    assert "You may have had this before" not in first.text


def test_one_channel_that_hangs_keeps_no_other_waiting(stage: Stage) -> None:
    well, ill = stage.far_side(), stage.far_side(name="far-side-that-hangs")
    ill.behave(smtp="hang", http="hang")
    hanging = {**ill.hook_channel, "name": "hangs"}
    collector = breach(stage, [hanging, well.mail_channel, well.slack_channel])
    wait_until("mail and Slack", lambda: len(well.received) == 2)
    assert [row["delivery"] for row in collector.notices("hangs")] == ["sending"]


def test_a_far_side_that_takes_it_and_never_answers_gets_it_again_and_is_told_so(stage: Stage) -> None:
    far_side = stage.far_side()
    far_side.behave(http="hang-after-body")
    collector = breach(stage, [{**far_side.hook_channel, "timeout": "1s"}])
    wait_until(
        "the first try to be put off", lambda: collector.notices()[:1] and collector.notices()[0]["answer"]
    )
    far_side.behave(http="accept")
    wait_until("it to be sent", lambda: [row["delivery"] for row in collector.notices()] == ["sent"])
    (row,) = collector.notices()
    assert row["perhaps_again"]
    assert ids_received(far_side, "hook") == [row["id"]] * row["tries"]
    first, *_, last = (post.body["commonAnnotations"]["perhaps_again"] for post in far_side.of_kind("post"))
    assert (first, last) == ("false", "true")


# --- away for a while -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_what_happened_while_the_collector_was_away_is_complete_and_wakes_nobody(
    stage: Stage, how: str
) -> None:
    far_side, service = stage.far_side(), stage.service()
    collector, agent = watched(stage, service, channels=[far_side.mail_channel, far_side.slack_channel])
    wait_until("some batches", lambda: collector.ask_one("SELECT count(*) FROM pushed") > 5)

    if how == "stopped":
        assert collector.stop() == 0
    else:
        collector.kill()
    service.stop()
    time.sleep(2.0)  # ten ticks of 200 ms in which the shop is down, and five in which it is back
    service.start()
    time.sleep(1.0)
    collector.start()
    began = time.time_ns() // 1_000_000
    wait_until("the agent to have caught up", lambda: is_complete(collector) and newest(collector) > began)

    wait_until(
        "the late transitions",
        lambda: [step for step in collector.transitions("%shop%") if step[2]],
    )
    time.sleep(LOOK_ON_S)
    steps = collector.transitions("%shop%")
    assert [(before, after) for before, after, _ in steps] == [
        ("ok", "pending"),
        ("pending", "firing"),
        ("firing", "ok"),
    ]
    assert all(late for *_, late in steps)
    assert collector.notices() == []
    assert far_side.received == []

    service.stop()  # and what happens now is told as ever
    wait_until("one message each", lambda: len(far_side.received) == 2)
    assert agent.stop() == 0
    wait_until("everything to be there", lambda: is_complete(collector, byes=1))
    times = [row["at"] for row in collector.ask("SELECT at FROM pushed ORDER BY at")]
    assert len(times) == len(set(times))
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) < 1_000, "there is a hole where the collector was away"


def test_an_agent_that_was_started_anew_in_between_wakes_nobody_about_the_past_either(stage: Stage) -> None:
    service = stage.service()
    collector, agent = watched(stage, service, channels=[{"kind": "log", "name": "log"}])
    assert collector.stop() == 0
    service.stop()
    time.sleep(2.0)
    service.start()
    time.sleep(1.0)
    assert agent.stop() == 0
    collector.start()
    agent.start()
    wait_until("the late transitions", lambda: len(collector.transitions("%shop%")) == 3)
    assert all(late for *_, late in collector.transitions("%shop%"))
    assert collector.notices() == []


def newest(collector: Collector) -> int:
    return int(collector.ask_one("SELECT max(at) FROM pushed"))


def is_complete(collector: Collector, byes: int = 0) -> bool:
    """Whether every number that the only agent has given up to the highest is there, and each once. A bye has a number
    and is no batch."""
    (seen,) = collector.ask("SELECT below, ranges FROM seen WHERE host IN (SELECT id FROM agents)")
    batches: int = collector.ask_one("SELECT count(*) FROM pushed")
    return bool(seen["ranges"] == b"" and seen["below"] == batches + byes)


# --- under load -------------------------------------------------------------------------------------------------------


def test_ten_kills_under_load_lose_nothing_acknowledged_and_double_nothing(stage: Stage) -> None:
    far_side = stage.far_side()
    collector = stage.collector(rules=[load.RULE], channels=[far_side.hook_channel])
    hosts = load.enrol_hosts(collector.database.parent, HOSTS)
    fleet = load.Load(hosts)
    dice = random.Random(7)
    collector.start()
    for _ in range(ROUNDS):
        enough = fleet.acknowledged + 40 * HOSTS
        fleet.start(collector.port)
        wait_until("some pushes", partial(fleet.has_acknowledged, enough))
        time.sleep(dice.uniform(0.0, 0.3))
        collector.kill()
        fleet.stop()
        collector.start()
        load.check_file(collector, hosts, all_acknowledged=False)
    fleet.finish(collector.port)
    load.check_file(collector, hosts, all_acknowledged=True)
    assert sum(host.tries_in_vain for host in hosts) > 0

    check_alerts(collector, hosts)
    wait_until(
        "every notice to be sent",
        lambda: all(row["delivery"] == "sent" or is_overtaken(row) for row in collector.notices()),
    )
    check_notices(collector, far_side)


def is_overtaken(row: Any) -> bool:
    """Whether the trouble was over before anybody could be told, so that only its end was told."""
    return bool(row["delivery"] == "failed" and row["reason"] == "first" and row["answer"] == OVERTAKEN)


def check_alerts(collector: Collector, hosts: list[load.Host]) -> None:
    """As many alerts as there were times of trouble, and every one that is over is closed."""
    for host in hosts:
        steps = load.expected_transitions(host.known)
        alerts = collector.ask("SELECT * FROM alerts WHERE host = ? ORDER BY id", host.number)
        assert [alert["since"] for alert in alerts] == [at for at, _, after in steps if after == "firing"]
        ends = [alert["resolved_at"] for alert in alerts if alert["resolved_at"] is not None]
        assert ends == [at for at, _, after in steps if after == "ok"]


def check_notices(collector: Collector, far_side: FarSide) -> None:
    """Each got through under its own id, but for what was over by then; more than once only where the row says that it
    may have."""
    times = Counter(ids_received(far_side, "hook"))
    rows = {row["id"]: row for row in collector.notices()}
    assert {id for id, row in rows.items() if not is_overtaken(row)} <= set(times) <= set(rows)
    assert {id for id, count in times.items() if count > 1} <= {
        id for id, row in rows.items() if row["perhaps_again"]
    }
    of_incident: dict[int, list[str]] = {}
    for row in rows.values():
        of_incident.setdefault(row["incident"], []).append(row["reason"])
    for reasons in of_incident.values():
        assert reasons == [("first", "resolved")[n % 2] for n in range(len(reasons))]


def test_sigterm_under_load_loses_nothing_acknowledged(stage: Stage) -> None:
    collector = stage.collector(rules=[load.RULE])
    hosts = load.enrol_hosts(collector.database.parent, HOSTS)
    fleet = load.Load(hosts)
    collector.start()
    fleet.start(collector.port)
    wait_until("some pushes", lambda: fleet.has_acknowledged(100 * HOSTS))
    assert collector.stop() == 0
    fleet.stop()
    load.check_file(collector, hosts, all_acknowledged=False)
    assert "Traceback" not in collector.said
    collector.start()
    fleet.finish(collector.port)
    load.check_file(collector, hosts, all_acknowledged=True)
