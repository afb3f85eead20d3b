"""Before a host is said to be down, others are asked whether they reach it."""

from __future__ import annotations

import pytest

from rules.fleet.neighbours import HOSTS_AT_ONCE_MAX, Sight, to_ask
from rules.model import ChannelView, Host
from tests.rules.house import EVERY_MS, T0, House, silence


def host(number: int, address: str = "", site: str = "") -> Host:
    return Host(
        number,
        f"h{number}",
        {"site": site} if site else {},
        {"address": address or f"10.0.0.{number}"} if address != "none" else {},
    )


def house(*hosts: Host, summary: str = "") -> House:
    made = House([silence(summary=summary)], hosts=hosts, channels=(ChannelView("mail"),), check_purity=False)
    for one in hosts:
        made.batch(0, {"load1": 1}, host=one.id)
    return made


def live(home: House, start_s: int, end_s: int, *dead: int) -> None:
    for now_s in range(start_s, end_s):
        if now_s % 10 == 0:
            for number in home.watch.hosts:
                if number not in dead:
                    home.batch(now_s, {"load1": 1}, host=number)
        home.tick(now_s)


def asked(home: House, now_s: float) -> dict[int, tuple[int, ...]]:
    return dict(to_ask(home.watch, T0 + round(now_s * 1000)))


@pytest.mark.parametrize(
    ("hosts", "dead", "now_s", "asks"),
    [
        pytest.param([1, 2, 3, 4, 5], [1], 15, {}, id="a host that is not overdue yet is left alone"),
        pytest.param(
            [1, 2, 3, 4, 5], [1], 16, {1: (2, 3, 4)}, id="three are asked before it is called silent"
        ),
        pytest.param([1, 2], [1], 16, {1: (2,)}, id="or as many as there are"),
        pytest.param([1], [1], 16, {}, id="or none"),
        pytest.param([1, 2, 3, 4, 5], [1, 2], 16, {1: (3, 4, 5), 2: (3, 4, 5)}, id="each by itself"),
        pytest.param([1, 2, 3, 4, 5], [1, 2, 3], 16, {}, id="when half is gone there is nobody to ask"),
    ],
)
def test_who_is_asked_about_whom(
    hosts: list[int], dead: list[int], now_s: int, asks: dict[int, tuple[int, ...]]
) -> None:
    home = house(*[host(number) for number in hosts])
    for number in hosts:
        if number not in dead:
            home.batch(10, {"load1": 1}, host=number)
    assert asked(home, now_s) == asks


def test_the_same_site_is_asked_alone_and_the_same_network_first() -> None:
    home = house(
        host(1, "10.0.0.1", "berlin"),
        host(2, "10.0.0.2", "paris"),
        host(3, "10.0.7.3", "berlin"),
        host(4, "10.0.0.4", "berlin"),
        host(5, "none", "berlin"),
    )
    live(home, 10, 16, 1)
    assert asked(home, 16) == {1: (4, 3, 5)}


def test_nobody_is_asked_about_a_host_that_says_no_address() -> None:
    home = house(host(1, "none"), host(2))
    live(home, 10, 16, 1)
    assert asked(home, 16) == {}


def test_a_host_that_said_goodbye_is_not_looked_for() -> None:
    home = house(host(1), host(2))
    home.bye(5, "restart", host=1)
    live(home, 10, 60, 1)
    assert asked(home, 60) == {}


def test_of_very_many_at_once_nobody_is_asked() -> None:
    count = HOSTS_AT_ONCE_MAX + 1
    home = house(*[host(number) for number in range(1, 3 * count)])
    live(home, 10, 16, *range(1, count + 1))
    assert asked(home, 16) == {}


def test_one_that_was_asked_about_is_not_asked_about_again_until_it_was_heard() -> None:
    home = house(host(1), host(2))
    live(home, 10, 16, 1)
    home.watch.sights[1] = Sight(T0, (2,))
    assert asked(home, 17) == {}
    live(home, 20, 22)
    live(home, 30, 36, 1)
    assert list(asked(home, 36)) == [1]


SAYS = [
    pytest.param({2: True, 3: True, 4: False}, "2 of 3 neighbours reach it: the agent is gone", id="some reach it"),
    pytest.param({2: False, 3: False}, "none of 2 neighbours reaches it: host or network down", id="none does"),
    pytest.param({2: False}, "its neighbour does not reach it: host or network down", id="the only one does not"),
    pytest.param({2: True, 3: None}, "1 of 1 neighbours reach it: the agent is gone", id="one could not look"),
    pytest.param({2: None, 3: None}, "", id="none could look"),
    pytest.param({}, "", id="none answered"),
]  # fmt: skip


@pytest.mark.parametrize("summary", ["", "host {{host}} is silent"])
@pytest.mark.parametrize(("saw", "says"), SAYS)
def test_the_message_says_what_they_saw(saw: dict[int, bool | None], says: str, summary: str) -> None:
    home = house(host(1), host(2), host(3), host(4), summary=summary)
    live(home, 10, 29, 1)
    home.watch.sights[1] = Sight(T0, (2, 3, 4), saw)
    live(home, 29, 60, 1)
    [notice] = home.notices
    own = summary.replace("{{host}}", "h1") or "no word from this host"
    assert home.open_alerts[0].summary == (f"{own}; {says}" if says else own)
    assert own in notice.title


@pytest.mark.parametrize(
    ("saw", "told_after_s"),
    [
        pytest.param({2: True, 3: False}, 31, id="all have answered: there is nothing to wait for"),
        pytest.param({2: True}, 51, id="one has not: two intervals, and no longer"),
        pytest.param({}, 51, id="none has"),
    ],
)
def test_how_long_they_are_waited_for(saw: dict[int, bool | None], told_after_s: int) -> None:
    home = house(host(1), host(2), host(3))
    live(home, 10, 29, 1)
    home.watch.sights[1] = Sight(T0, (2, 3), saw)
    live(home, 29, 100, 1)
    assert home.notices[0].created_at == T0 + told_after_s * 1000
    assert told_after_s - 31 <= 2 * EVERY_MS / 1000


def test_what_was_seen_before_it_was_heard_again_says_nothing_now() -> None:
    home = house(host(1), host(2))
    home.watch.sights[1] = Sight(T0 - 60_000, (2,), {2: False})
    live(home, 10, 60, 1)
    assert home.open_alerts[0].summary == "no word from this host"


def test_an_answer_of_somebody_who_was_not_asked_counts_nothing() -> None:
    assert Sight(T0, (2, 3)).with_answer(9, reached=True).saw == {}
