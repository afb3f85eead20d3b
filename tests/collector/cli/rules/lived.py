"""A store in which hosts have lived: judged as live, and committed outcome by outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.stores.sqlite import open_store
from rules.judging.engine import Rule
from rules.judging.play import Player
from rules.model import ChannelView, Host, Outcome

EVERY_MS = 10_000


class Row(NamedTuple):
    arrived_at: int
    at: int
    host: int
    every_ms: int
    layout: tuple[str, ...]
    values: npt.NDArray[np.float64]


Values = Sequence[Mapping[str, float]]


async def live(
    state: Path,
    rules: Sequence[Rule],
    start: int,
    end: int,
    hosts: Mapping[str, tuple[dict[str, str], Values]],
    cut_off: Mapping[str, tuple[int, int]] = {},
) -> list[Outcome]:
    """Hosts by name, with their labels and batches from `start` on; the outcomes, which are in the store of `state`.

    From the first to the second batch of `cut_off` a host keeps its batches, and delivers them behind the second.
    """
    store = await open_store(state, role="collector")
    enrolled: dict[str, Host] = {}
    for name, (labels, _) in hosts.items():
        enrolled[name] = await store.hosts.enrol(name, labels, f"{name:0>12}", b"s" * 32, start)
    outcomes: list[Outcome] = []
    player = Player(
        rules, [ChannelView("log")], enrolled.values(), start=start, tick_ms=10_000, told=outcomes.append
    )
    rows: list[Row] = []
    for name, (_, values) in hosts.items():
        since, until = cut_off.get(name, (0, 0))
        for place, value in enumerate(values):
            at = start + place * EVERY_MS
            late = since <= place < until
            arrived_at = start + until * EVERY_MS + 1 + place if late else at
            if value:
                row = np.array(list(value.values()))
                rows.append(Row(arrived_at, at, enrolled[name].id, EVERY_MS, tuple(value), row))
    rows.sort(key=lambda row: row.arrived_at)
    for place, row in enumerate(rows):
        player.batch(row.host, row.at, EVERY_MS, row.layout, row.values, arrived_at=row.arrived_at)
        for host, since in player.repairs_due():
            come = [one for one in rows[: place + 1] if one.host == host and one.at >= since]
            player.repair(host, sorted(come, key=lambda one: one.at))
    player.until(end)
    await store.commit(outcomes)
    while await store.seal(end):
        pass
    await store.close()
    return outcomes
