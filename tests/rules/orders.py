"""Samples that come in any order, and what must be the same whatever it was."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from tests.rules.house import House

Samples = list[tuple[float, dict[str, Any]]]


def deliver(
    house: House,
    samples: Samples,
    order: Sequence[int],
    start_s: float,
    repaired_after: Set[int] = frozenset(),
) -> None:
    """Hand in samples in some order, one a second; sample times are `start_s` and before or after. After the places
    that are named, what came late is judged again."""
    for place, index in enumerate(order):
        at_s, values = samples[index]
        house.batch(at_s, values, arrived_s=start_s + place)
        if place in repaired_after:
            house.repair(2 * start_s)


def standing(house: House) -> dict[tuple[str, str], tuple[Any, ...]]:
    track = house.watch.hosts[1].track
    return {
        key: (s.state, s.since, s.severity, s.levels, s.gone_since, s.value, s.alert is not None)
        for key, s in track.states.items()
    }


def no_first_without_a_resolved_between(house: House) -> None:
    standing: dict[tuple[int, str], str] = {}
    for notice in house.notices:
        place = (notice.incident, notice.channel)
        if notice.reason == "first":
            assert standing.get(place) != "told", f"{notice.id} is a second first"
            standing[place] = "told"
        else:
            assert standing.get(place) == "told", f"{notice.id} is about what nobody was told"
            standing[place] = "over" if notice.reason == "resolved" else "told"
    assert len({notice.id for notice in house.notices}) == len(house.notices)
