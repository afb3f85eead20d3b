"""Any sequence of commits, failures, readings and restarts, held against a model that is plain dictionaries."""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from collector.store import Keep, Store, StoreError
from rules.memory.seen import Seen
from rules.model import Outcome, RuleState
from tests.collector.stores.builders import (
    DAY,
    HOUR,
    NOW,
    SPOOL,
    arrival,
    enrolled,
    forgotten,
    outcome_that_cannot_be_kept,
    sealed,
)
from tests.collector.stores.conftest import ENGINES

T = TypeVar("T")

HOSTS = 2
TICKS, STEP = 30, 40 * 60_000
"""Of sample times: so close that hours share some, and so many that there are two days of them."""
NAMES = ("a", "b", "c")
samples = st.dictionaries(st.sampled_from(NAMES), st.floats(allow_nan=True), max_size=3)
states = st.sampled_from(["ok", "pending", "firing", "unknown"])
outcomes = st.tuples(st.integers(0, HOSTS - 1), st.integers(0, TICKS), samples, states, st.integers(0, 20))
groups = st.lists(outcomes, min_size=1, max_size=4)


class Model:
    """What a store must know."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int, dict[str, float]]] = []
        self.states: dict[tuple[str, str], RuleState] = {}
        self.seen: dict[int, Seen] = {}
        self.samples_from = 0

    def series(self, host: int, name: str) -> list[tuple[int, float]]:
        mine = [(at, values[name]) for owner, at, values in self.batches if owner == host and name in values]
        return sorted(mine, key=lambda point: point[0])

    def newest(self, host: int) -> dict[str, float]:
        mine = [(at, values) for owner, at, values in self.batches if owner == host]
        return sorted(mine, key=lambda one: one[0])[-1][1] if mine else {}

    def keep(self, outcome: Outcome, values: dict[str, float]) -> None:
        assert outcome.arrival is not None
        assert outcome.seen is not None
        self.batches.append((outcome.arrival.host, outcome.arrival.at, values))
        self.seen[outcome.seen.host] = outcome.seen
        for state in outcome.states:
            self.states.pop((state.rule, state.subject), None)
            if state.state != "ok":
                self.states[state.rule, state.subject] = state

    def forget_before(self, at: int) -> None:
        """Samples go by whole hours, and what went does not come back."""
        self.samples_from = max(self.samples_from, at // HOUR * HOUR)
        newest: dict[int, int] = {}
        for place, (host, sampled_at, _) in enumerate(self.batches):
            if host not in newest or sampled_at >= self.batches[newest[host]][1]:
                newest[host] = place
        kept = set(newest.values())
        self.batches = [
            one for place, one in enumerate(self.batches) if one[1] >= self.samples_from or place in kept
        ]


class StoreAgainstModel(RuleBasedStateMachine):
    engine = ""

    @initialize()
    def open_for_the_first_time(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="watchkeeper-model-"))
        self.model = Model()
        self.now = NOW + 100 * DAY
        self.store: Store = self.run(self.opened())
        self.hosts = [self.run(enrolled(self.store, f"host-{number}")).id for number in range(HOSTS)]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def opened(self) -> Store:
        return await ENGINES[self.engine](self.folder, role="collector")

    def outcomes(self, group: list[Any]) -> list[tuple[Outcome, dict[str, float]]]:
        made = []
        for number, at, values, state, below in group:
            host = self.hosts[number]
            outcome = Outcome(
                arrival=arrival(host, NOW + at * STEP, values),
                seen=Seen(host, SPOOL, below, [(below + 2, below + 5)]),
                states=[RuleState("load", f"host:{host}", state, NOW + at)],
            )
            made.append((outcome, values))
        return made

    @rule(group=groups)
    def commit(self, group: list[Any]) -> None:
        made = self.outcomes(group)
        self.run(self.store.commit([outcome for outcome, _ in made]))
        for outcome, values in made:
            self.model.keep(outcome, values)

    @rule(group=groups, place=st.integers(0, 4))
    def commit_what_cannot_be_kept(self, group: list[Any], place: int) -> None:
        made = [outcome for outcome, _ in self.outcomes(group)]
        made.insert(place, outcome_that_cannot_be_kept())
        with pytest.raises(StoreError):
            self.run(self.store.commit(made))

    @rule(after=st.integers(0, TICKS), pieces=st.integers(1, 8))
    def seal_a_little(self, after: int, pieces: int) -> None:
        for _ in range(pieces):
            self.run(self.store.seal(NOW + after * STEP))

    @rule(at=st.integers(0, TICKS))
    def forget(self, at: int) -> None:
        self.now += HOUR  # every host has its turn again
        self.run(sealed(self.store, self.now))
        keep = Keep(samples_ms=self.now - NOW - at * STEP)
        self.run(forgotten(self.store, keep, self.now))
        self.model.forget_before(NOW + at * STEP)

    @precondition(lambda self: self.model.batches)
    @rule()
    def restart(self) -> None:
        self.run(self.store.close())
        self.store = self.run(self.opened())

    @invariant()
    def knows_what_the_model_knows(self) -> None:
        kept = self.run(self.store.remember(NOW))
        assert {(state.rule, state.subject): state for state in kept.states} == self.model.states
        assert {seen.host: seen for seen in kept.seen} == self.model.seen
        overview = self.run(self.store.samples.overview())
        for host, latest in zip(self.hosts, overview, strict=True):
            assert same(latest.values.items(), self.model.newest(host).items())
            for name in NAMES:
                points = self.run(self.store.samples.series(host, name, 0, 2**62))
                read = zip(points.at.tolist(), points.values.tolist(), strict=True)
                assert same(read, self.model.series(host, name))
        assert self.run(self.store.health()).batches == len(self.model.batches)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.close())
            self.runner.close()
            shutil.rmtree(self.folder)


def same(ours: Any, theirs: Any) -> bool:
    """Equal pair by pair, NaN being the same as NaN."""
    pairs = list(zip(ours, theirs, strict=True))
    return all(a[0] == b[0] and (a[1] == b[1] or (math.isnan(a[1]) and math.isnan(b[1]))) for a, b in pairs)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_and_its_model_never_disagree(engine: str) -> None:
    machine = type("Machine", (StoreAgainstModel,), {"engine": engine})
    health = list(HealthCheck)  # opening a real file takes longer than it likes
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=health
        ),
    )
