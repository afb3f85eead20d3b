"""What rules that look back keep of a host's latest samples, read again from the stored rows.

Windows are not stored: they can be made anew from the samples. Whoever judges asks `rows_wanted` before the first batch
of each host in `Watch.unfilled`, and hands what is stored since then to `fill`. That decides nothing and tells nobody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rules.judging.engine import Plans, Sample, Track
from rules.memory.host import Memory
from rules.memory.watch import Watch
from rules.model import HOLDS, Arrival


class Row(Protocol):
    """One batch as it was stored."""

    @property
    def at(self) -> int: ...

    @property
    def every_ms(self) -> int: ...

    @property
    def layout(self) -> tuple[str, ...]: ...

    @property
    def values(self) -> npt.NDArray[np.float64]: ...


def rows_wanted(watch: Watch, arrival: Arrival) -> int | None:
    """The sample time from which on rows are needed to judge a host's first batch; None when none are."""
    last_at = watch.hosts[arrival.host].host.last_at
    plan = watch.plans.plan(arrival.layout, watch.hosts[arrival.host].host.binding_labels)
    if last_at is None or not plan.looks_back_ms or arrival.at - last_at > HOLDS * arrival.every_ms:
        return None
    return last_at - plan.looks_back_ms


def fill(watch: Watch, host: int, rows: Sequence[Row]) -> None:
    """Take rows into the host's windows. Rows that do not end with its newest sample are of no use."""
    watch.unfilled.discard(host)
    memory = watch.hosts[host]
    if whole := upto_newest(rows, memory):
        memory.track.windows = slid_over(watch.plans, memory, whole).windows


def upto_newest(rows: Sequence[Row], memory: Memory) -> Sequence[Row]:
    """The rows up to the host's newest sample; none if they were cut off before it. What lies beyond it was dated
    before our own clock was set back."""
    last_at = memory.host.last_at or 0
    rows = rows[: bisect_right(rows, last_at, key=lambda row: row.at)]
    return rows if rows and rows[-1].at == last_at else []


def slid_over(plans: Plans, memory: Memory, rows: Sequence[Row]) -> Track:
    """A track without states, its windows filled from rows alone."""
    labels = memory.host.binding_labels
    track = Track(plans.plan((), labels), memory.host.id, {})
    for row in rows:
        track = track.onto(plans.plan(row.layout, labels))
        if track.plan.windowed:
            track.windows = track.slid(row.values, Sample(row.at, row.every_ms, None))
    return track
