"""Who is told, as the config has it: routes, quiet hours, on-call weeks and maintenance become one policy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from agent.options import Node
from collector.config.kinds import refuse_one_name_twice
from rules.policy import Maintenance, Planned, Policy, Rotation, Route, Silence
from rules.policy.routes import EVERY_CHANNEL, When
from rules.sla.model import ServiceOptions
from rules.times.zones import zone_named

T = TypeVar("T")


class Said(Protocol):
    """What of the config says who is told."""

    @property
    def zone(self) -> str: ...
    @property
    def routes(self) -> list[Route]: ...
    @property
    def quiet_hours(self) -> When: ...
    @property
    def on_call(self) -> list[Rotation]: ...
    @property
    def maintenance(self) -> list[Maintenance]: ...
    @property
    def services(self) -> list[ServiceOptions]: ...


def policy_of(said: Said, silences: Sequence[Silence] = (), planned: Sequence[Planned] = ()) -> Policy:
    """The policy that holds; `silences` and `planned` are what people said while the collector runs."""
    return Policy(
        routes=said.routes,
        quiet_hours=said.quiet_hours,
        on_call=said.on_call,
        silences=silences,
        maintenance=[*said.maintenance, *planned],
        services=said.services,
        zone=said.zone,
    )


def see_that_it_is_sound(said: Said, channels: Collection[str], section: Node) -> None:
    """ConfigError for a name that no channel has, and for a time that is none. `section` is what it was read from."""
    try:
        zone_named(said.zone)
    except ValueError as problem:
        raise section.get("zone").error(str(problem)) from None
    try:
        Policy(quiet_hours=said.quiet_hours)
    except ValueError as problem:
        raise section.get("quiet_hours").error(str(problem)) from None
    refuse_one_name_twice("rotations", said.on_call, section.get("on_call"))
    for rotation, entry in _with_nodes(said.on_call, section.get("on_call")):
        if rotation.name in channels:
            raise entry.get("name").error(f'there is a channel "{rotation.name}" as well; rename one')
        _refuse_unknown(rotation.channels, channels, "channel", entry.get("weeks"))
    known = {*channels, *(rotation.name for rotation in said.on_call), EVERY_CHANNEL}
    for route, entry in _with_nodes(said.routes, section.get("routes")):
        _refuse_unknown(route.channels, known, "channel or rotation", entry.get("channels"))
        for step, written in _with_nodes(route.escalate, entry.get("escalate")):
            _refuse_unknown(step.channels, known, "channel or rotation", written.get("channels"))


def _with_nodes(values: Sequence[T], node: Node) -> Iterable[tuple[T, Node]]:
    return zip(values, node.items() if values else [], strict=True)


def _refuse_unknown(names: Iterable[str], known: Collection[str], noun: str, node: Node) -> None:
    for name in names:
        if name not in known:
            there = ", ".join(sorted({*known} - {EVERY_CHANNEL})) or "none"
            raise node.error(f'there is no {noun} "{name:.100}"; there are: {there}')
