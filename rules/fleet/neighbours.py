"""Before a host is said to be down, its neighbours are asked whether they reach it.

A few hosts that are heard, of the same site and the nearest network first. What they answer stands in the alert; they
are waited for two intervals at most, and asked so early that there is mostly nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rules.fleet.presence import AT_LEAST, WAIT_INTERVALS, is_expected, is_overdue
from rules.memory.host import Memory

if TYPE_CHECKING:
    from rules.memory.watch import Watch

ASKED_MAX = 3
HOSTS_AT_ONCE_MAX = 20
"""Of more hosts silent at a time the network is to blame, and asking about each says nothing new."""
ADDRESS = "address"
"""The fact that says where a host can be reached."""


class Sight(Struct, frozen=True):
    """What neighbours say of a host that was last heard at `since`: reached or not, None where one could not look."""

    since: int
    asked: tuple[int, ...]
    saw: dict[int, bool | None] = {}

    def with_answer(self, neighbour: int, reached: bool | None) -> Sight:
        return replace(self, saw={**self.saw, neighbour: reached}) if neighbour in self.asked else self


def to_ask(watch: Watch, now: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Hosts that are overdue and not asked about yet, each with the neighbours to ask, if there are any."""
    overdue = [
        memory for memory in watch.hosts.values() if is_overdue(memory, now) and is_expected(watch, memory)
    ]
    if not 0 < len(overdue) <= HOSTS_AT_ONCE_MAX:
        return
    missing = {memory.host.id for memory in overdue}
    heard = [
        memory
        for memory in watch.hosts.values()
        if memory.host.id not in missing and not is_overdue(memory, now) and not memory.host.is_service
    ]
    if len(overdue) >= AT_LEAST and len(overdue) >= len(heard):
        return
    for memory in overdue:
        known = watch.sights.get(memory.host.id)
        is_new = known is None or known.since != memory.quiet_since
        if is_new and memory.host.facts.get(ADDRESS) and (asked := _nearest(memory, heard)):
            yield memory.host.id, asked


def _nearest(memory: Memory, heard: list[Memory]) -> tuple[int, ...]:
    site, network = memory.host.labels.get("site"), _network(memory)
    same = [other for other in heard if other.host.labels.get("site") == site and other.ever_heard]
    # Counted from itself on, so that not the same few are asked about all.
    same.sort(key=lambda other: (_network(other) != network, (other.host.id - memory.host.id) % 2**62))
    return tuple(other.host.id for other in same[:ASKED_MAX])


def _network(memory: Memory) -> str:
    return memory.host.facts.get(ADDRESS, "").rpartition(".")[0]


def is_awaited(watch: Watch, memory: Memory, now: int) -> bool:
    """Whether its neighbours may still say something that is worth waiting for."""
    sight = watch.sights.get(memory.host.id)
    if sight is None or sight.since != memory.quiet_since or len(sight.saw) == len(sight.asked):
        return False
    return now - memory.quiet_since - memory.patience_ms <= WAIT_INTERVALS * memory.host.every_ms


def said(watch: Watch, memory: Memory) -> str:
    """What its neighbours said, for people; empty where that is nothing."""
    sight = watch.sights.get(memory.host.id)
    if sight is None or sight.since != memory.quiet_since:
        return ""
    looked = [reached for reached in sight.saw.values() if reached is not None]
    if not looked:
        return ""
    if any(looked):
        return f"{sum(looked)} of {len(looked)} neighbours reach it: the agent is gone"
    if len(looked) == 1:
        return "its neighbour does not reach it: host or network down"
    return f"none of {len(looked)} neighbours reaches it: host or network down"
