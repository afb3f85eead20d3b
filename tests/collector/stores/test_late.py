"""However batches come, late, out of order, with packing in between: once all is packed, the store is as if they had
come in order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.store import Store
from rules.model import Outcome
from tests.collector.stores.builders import DAY, HOUR, NOW, batch, enrolled, sealed
from tests.collector.stores.conftest import ENGINES

NAMES = ("a", "b", "c", "d")
MINUTE = 60_000
LAST = NOW + 2 * DAY
"""After all others, so that the newest batch is the same in every order."""
values = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6), st.integers(0, 3).map(float))
samples = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[tuple[int, dict[str, float]]]]:
    """Batches in groups, in the order in which they come; after each group the store is packed."""
    minutes = draw(st.lists(st.integers(0, 40 * 60), unique=True, min_size=1, max_size=60))
    batches = [(NOW + minute * MINUTE, draw(samples)) for minute in minutes]
    cuts = sorted(draw(st.sets(st.integers(1, len(batches)), max_size=4)))
    return [batches[start:end] for start, end in zip([0, *cuts], [*cuts, len(batches)], strict=True)]


class Opened:
    """A store of its own for one example."""

    def __init__(self, engine: str) -> None:
        self._engine, self._folder, self._runner = engine, TemporaryDirectory(), asyncio.Runner()
        self.store: Store = self.run(ENGINES[engine](Path(self._folder.name), role="collector"))
        self.host = self.run(enrolled(self.store)).id
        self._now = LAST + 10 * DAY

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def take(self, batches: list[tuple[int, dict[str, float]]]) -> None:
        outcomes: list[Outcome] = [batch(self.host, at, values) for at, values in batches]
        self.run(self.store.commit(outcomes))

    def pack(self) -> None:
        self._now += HOUR
        self.run(sealed(self.store, self._now))

    def read(self) -> list[Any]:
        """All there is."""
        samples, ever = self.store.samples, (0, 2**62)
        found: list[Any] = [
            (row.at, row.arrived_at, row.every_ms, row.layout, *map(repr, row.values.tolist()))
            for row in self.run(samples.rows(self.host, *ever, 10**6))
        ]
        for step_ms in (HOUR, DAY):
            for name, steps in self.run(
                samples.series_step(self.host, NAMES, NOW - DAY, LAST + DAY, step_ms)
            ).items():
                columns = (steps.at, steps.low, steps.high, steps.mean, steps.count)
                found += [name, *(list(map(repr, np.asarray(column).tolist())) for column in columns)]
        found.append(self.run(samples.names(self.host, *ever)))
        found.append(self.run(self.store.health()).batches)
        return found

    def close(self) -> None:
        self.run(self.store.close())
        self._runner.close()
        self._folder.cleanup()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_store_ends_up_the_same_in_whatever_order_batches_came(engine: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(groups=arrivals())
    def check(groups: list[list[tuple[int, dict[str, float]]]]) -> None:
        orderly, disorderly = Opened(engine), Opened(engine)
        try:
            last = (LAST, {"a": 1.0})
            orderly.take([*sorted((one for group in groups for one in group), key=lambda one: one[0]), last])
            orderly.pack()
            disorderly.take([last])
            for group in groups:
                disorderly.take(group)
                disorderly.pack()
            assert disorderly.read() == orderly.read()
        finally:
            orderly.close()
            disorderly.close()

    check()
