"""Which services a problem touches, and that routes and maintenance may go by them."""

from __future__ import annotations

from typing import Any

import pytest

from rules.model import ChannelView, Host, Series
from rules.policy import Maintenance, Policy, Route
from rules.policy.services import Services
from rules.sla.model import CheckPart, HostPart, ServiceOptions, ServicePart
from tests.rules.house import House, limit

WEB = 'check_state{check="front",kind="http"}'
MADE_OF = [
    ServiceOptions(name="shop", checks=[CheckPart(id="front", where={"role": "probe"})]),
    ServiceOptions(name="store", hosts=HostPart(where={"role": "db"})),
    ServiceOptions(name="all", depends_on=ServicePart(services=["shop", "store"])),
]


@pytest.mark.parametrize(
    ("labels", "series", "expected", "sentence"),
    [
        ({"role": "probe"}, WEB, {"shop", "all"}, "by its check, and what stands on it"),
        ({"role": "db"}, WEB, {"store", "all"}, "the check of a host whose word does not count"),
        ({"role": "probe"}, "load1", set(), "another series of the host that asks"),
        ({"role": "db"}, "load1", {"store", "all"}, "whatever is wrong with a host that must be there"),
        ({"role": "db"}, "", {"store", "all"}, "the host itself"),
        ({"service": "mail"}, "requests_per_s", {"mail"}, "what a service says of itself"),
        ({}, "load1", set(), "nothing"),
    ],
)
def test_what_a_problem_touches(labels: Any, series: str, expected: set[str], sentence: str) -> None:
    touched = Services(MADE_OF).touched(labels, Series.parse(series) if series else None)
    assert touched == expected, sentence


def test_a_route_and_a_maintenance_may_go_by_service() -> None:
    policy = Policy(
        services=MADE_OF,
        routes=[Route(services=("all",), channels=("boss",)), Route(channels=("mail",))],
        maintenance=[Maintenance(name="new shop", when="daily 03:00 to 04:00", services=("shop",))],
    )
    house = House(
        [limit("bad", "check_state", above=1.0), limit("load", "load1", above=9.0)],
        hosts=[Host(1, "p", {"role": "probe"}), Host(2, "db", {"role": "db"})],
        channels=[ChannelView("mail"), ChannelView("boss")],
        policy=policy,
        check_purity=False,
    )
    house.batch(0, {WEB: 2.0, "load1": 10.0})
    house.batch(1, {"load1": 10.0}, host=2)
    assert [(notice.channel, notice.host) for notice in house.notices] == [
        ("boss", "p"),
        ("mail", "p"),
        ("boss", "db"),
    ]
    house.batch(3600, {WEB: 0.0, "load1": 1.0})
    house.batch(3660, {WEB: 2.0, "load1": 1.0})
    assert [notice.reason for notice in house.notices[3:]] == ["resolved", "resolved"], "then it is worked on"
