"""Which services go together, and in what order they are looked at."""

from __future__ import annotations

import pytest

from rules.labels import fits
from rules.sla.model import ServiceOptions, ServicePart, in_order
from tests.rules.sla.house import service


def upon(name: str, *below: str) -> ServiceOptions:
    if not below:
        return service(name=name)
    return service(name=name, checks=[], depends_on=ServicePart(services=list(below)))


def test_what_others_stand_on_comes_first() -> None:
    given = [upon("site", "shop", "mail"), upon("shop", "db"), upon("mail"), upon("db")]
    assert [one.name for one in in_order(given)] == ["db", "shop", "mail", "site"]


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ([upon("a"), upon("a")], 'two services called "a"'),
        ([upon("a", "b")], '"a" depends on "b"'),
        ([upon("a", "a")], "a -> a"),
        ([upon("x", "a"), upon("a", "b"), upon("b", "c"), upon("c", "a")], "a -> b -> c -> a"),
    ],
)
def test_what_does_not_go_together_is_refused(services: list[ServiceOptions], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        in_order(services)


@pytest.mark.parametrize(
    ("where", "fitting"),
    [
        ({}, True),
        ({"role": "web"}, True),
        ({"role": ["db", "web"]}, True),
        ({"role": "db"}, False),
        ({"host": "h*", "role": ["x", "w?b"]}, True),
        ({"host": "g*"}, False),
        ({"x": "y"}, False),
    ],
)
def test_hosts_are_meant_by_label(where: dict[str, str | list[str]], fitting: bool) -> None:
    assert fits(where, {"role": "web", "host": "h1"}) is fitting


def test_more_services_than_there_are_can_never_be_well() -> None:
    with pytest.raises(ValueError, match="3 of 2 services can never be well"):
        ServicePart(services=["db", "mail"], need=3)
    assert ServicePart(services=["db", "mail"], need=2).need == 2
