"""What a service is made of: those that are not well come first, and of the others a few are enough."""

from __future__ import annotations

from collector.web.made_of import ROWS_MAX, WELL_MAX, Fleet, Group, groups_of
from rules.model import Host
from rules.sla.model import HostPart, ServiceOptions

NOW = 1_800_000_000_000
SHOP = ServiceOptions(name="shop", hosts=HostPart(where={"role": "web"}))


def group(there: int, silent: int) -> Group:
    heard = [NOW] * there + [NOW - 3_600_000] * silent
    hosts = [
        Host(number, f"web-{number:03}", {"role": "web"}, arrived_at=at, last_at=at)
        for number, at in enumerate(heard, start=1)
    ]
    [found] = groups_of(SHOP, Fleet({host.id: host for host in hosts}, [], {}, {}, NOW))
    return found


def test_a_few_of_many_that_are_well_are_shown() -> None:
    found = group(there=200, silent=3)
    assert [member.mark.word for member in found.members] == ["silent"] * 3 + ["there"] * WELL_MAX
    assert found.more == "And 190 more, all of them well."


def test_of_many_that_are_not_well_as_many_as_a_page_holds() -> None:
    found = group(there=20, silent=ROWS_MAX + 5)
    assert {member.mark.word for member in found.members} == {"silent"}
    assert (len(found.members), found.more) == (ROWS_MAX, "And 25 more.")


def test_of_a_few_nothing_is_left_out() -> None:
    found = group(there=WELL_MAX, silent=1)
    assert (len(found.members), found.more) == (WELL_MAX + 1, "")
