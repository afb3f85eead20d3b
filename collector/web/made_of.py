"""What a service is made of, part by part, and how each part is now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from collector.store import Store
from collector.store.promises import Asked
from collector.web.standing import Mark, Shape
from collector.web.words import say_count
from rules.fleet.state import is_silent
from rules.labels import fits
from rules.model import Host, Series
from rules.sla.model import CheckPart, Class, HostPart, Need, ServiceOptions, ServicePart

ROWS_MAX, WELL_MAX = 50, 10
"""Of one part; those that are not well come first, and of the others a few are enough."""
MARKS: dict[Class, Mark] = {
    "up": Mark("up", "up"),
    "degraded": Mark("warning", "degraded"),
    "down": Mark("critical", "down"),
    "maintenance": Mark("maintenance", "maintenance"),
    "unknown": Mark("unknown", "unknown"),
    "outside": Mark("up", "outside its hours"),
}
_CHECKS: dict[float, Mark] = {
    0.0: Mark("up", "ok"),
    1.0: Mark("warning", "warning"),
    2.0: Mark("critical", "bad"),
}
_ORDER: dict[Shape, int] = {"critical": 0, "warning": 1, "unknown": 2, "maintenance": 3, "info": 4, "up": 5}


class Member(Struct, frozen=True):
    name: str
    url: str
    mark: Mark


class Group(Struct, frozen=True):
    """A part in words, and who stands for it; `more` says how many are not shown."""

    title: str
    members: list[Member]
    more: str


class Fleet(Struct, frozen=True):
    """What is needed to say how parts are. `asked` says which hosts have which check, `said` what it said last there,
    `services` how the services stand."""

    hosts: Mapping[int, Host]
    asked: Sequence[Asked]
    said: Mapping[tuple[int, str], float]
    services: Mapping[str, Class]
    now: int


async def fleet_of(store: Store, service: ServiceOptions, services: Mapping[str, Class], now: int) -> Fleet:
    """StoreError."""
    ids = sorted({part.id for part in service.checks})
    hosts, asked, states = await asyncio.gather(
        store.hosts.all(), store.promises.asked(ids), store.samples.latest_of("check_state")
    )
    wanted = set(ids)
    said = {}
    for state in states:
        check = Series.parse(state.name).labels.get("check", "")
        if check in wanted:
            said[state.host, check] = state.value
    return Fleet({host.id: host for host in hosts if not host.is_service}, asked, said, services, now)


def groups_of(service: ServiceOptions, fleet: Fleet) -> list[Group]:
    """In the order in which they are written."""
    found = [_checked(part, fleet) for part in service.checks]
    if service.hosts is not None:
        found.append(_hosts(service.hosts, fleet))
    if service.depends_on is not None:
        found.append(_services(service.depends_on, fleet))
    return found


def _checked(part: CheckPart, fleet: Fleet) -> Group:
    asked = [one.host for one in fleet.asked if one.check == part.id and one.host in fleet.hosts]
    hosts = [fleet.hosts[number] for number in dict.fromkeys(asked)]
    meant = [host for host in hosts if fits(part.where, host.binding_labels)]
    members = [
        Member(
            host.name, f"/hosts/{host.id}", _check_mark(host, fleet.said.get((host.id, part.id)), fleet.now)
        )
        for host in meant
    ]
    return _group(f"Check {part.id}, asked from {say_count(len(members), 'host')}", part.need, members)


def _check_mark(host: Host, value: float | None, now: int) -> Mark:
    if is_silent(host, now):
        return Mark("unknown", "silent")
    return Mark("unknown", "no answer") if value is None else _CHECKS.get(value, Mark("unknown", "no answer"))


def _hosts(part: HostPart, fleet: Fleet) -> Group:
    meant = [host for host in fleet.hosts.values() if fits(part.where, host.binding_labels)]
    members = [
        Member(
            host.name,
            f"/hosts/{host.id}",
            Mark("critical", "silent") if is_silent(host, fleet.now) else Mark("up", "there"),
        )
        for host in meant
    ]
    return _group(say_count(len(members), "host").capitalize(), part.need, members)


def _services(part: ServicePart, fleet: Fleet) -> Group:
    members = [
        Member(name, f"/services/{name}", MARKS[fleet.services.get(name, "unknown")])
        for name in part.services
    ]
    return _group(f"Stands on {say_count(len(members), 'service')}", part.need, members)


def _group(title: str, need: Need, members: list[Member]) -> Group:
    ordered = sorted(members, key=lambda member: (_ORDER[member.mark.shape], member.name))
    needed = {"all": "all of them must be well", "any": "one of them must be well"}
    said = needed[need] if isinstance(need, str) else f"{need} of them must be well"
    well = sum(member.mark.shape == "up" for member in ordered)
    shown = min(len(ordered), ROWS_MAX, len(ordered) - well + WELL_MAX)
    left = len(ordered) - shown
    more = f"And {left} more{', all of them well' if left <= well else ''}." if left else ""
    return Group(f"{title}; {said}" if len(members) > 1 else title, ordered[:shown], more)
