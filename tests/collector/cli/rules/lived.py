"""A store in which hosts have lived: judged as live, and committed outcome by outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from collector.stores.sqlite import open_store
from rules.engine import Rule
from rules.model import ChannelView, Host, Outcome
from rules.play import Player

EVERY_MS = 10_000
Values = Sequence[Mapping[str, float]]


async def live(
    state: Path,
    rules: Sequence[Rule],
    start: int,
    end: int,
    hosts: Mapping[str, tuple[dict[str, str], Values]],
) -> list[Outcome]:
    """Hosts by name, with their labels and batches from `start` on; the outcomes, which are in the store of `state`."""
    store = await open_store(state, role="collector")
    enrolled: dict[str, Host] = {}
    for name, (labels, _) in hosts.items():
        enrolled[name] = await store.hosts.enrol(name, labels, f"{name:0>12}", b"s" * 32, start)
    outcomes: list[Outcome] = []
    player = Player(
        rules, [ChannelView("log")], enrolled.values(), start=start, tick_ms=10_000, told=outcomes.append
    )
    for place in range(max(len(values) for _, values in hosts.values())):
        for name, (_, values) in hosts.items():
            if place < len(values) and values[place]:
                row = np.array(list(values[place].values()))
                at = start + place * EVERY_MS
                player.batch(enrolled[name].id, at, EVERY_MS, tuple(values[place]), row)
    player.until(end)
    await store.commit(outcomes)
    while await store.seal(end):
        pass
    await store.close()
    return outcomes
