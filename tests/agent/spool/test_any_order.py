"""Ticks, answers, kills, reboots and clock steps in any order: held is what must be held, and in order."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.clock import Moment
from agent.spool import Limits, Spool
from tests.agent.spool.life import EVERYTHING, HOUR_MS, Clock, again, batch, everything


class AnyOrder(RuleBasedStateMachine):
    """A host's life: ticks, answers, kills, restarts, reboots, clock steps. The model knows what must be held."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.held: dict[int, int] = {}  # number -> when it was sampled, by the time since the first boot
        self.written: set[int] = set()
        self.seen: set[int] = set()
        self.life_ms = 0

    @initialize(where=st.just(None))
    def start(self, where: None) -> None:
        import tempfile

        self.folder = Path(tempfile.mkdtemp(prefix="spool-"))
        self.spool = Spool(self.folder / "spool", Limits(bytes_max=2**22), self.clock.now())

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
            shutil.rmtree(self.folder)

    def pass_(self, ms: int) -> Moment:
        self.life_ms += ms
        return self.clock.pass_(ms)

    def due(self) -> None:
        self.written |= {seq for seq, at in self.held.items() if self.life_ms - at >= 20_000}

    @rule(ms=st.integers(1, 30_000), size=st.integers(0, 900))
    def tick(self, ms: int, size: int) -> None:
        self.spool.add(batch(filler="x" * size), self.pass_(ms))
        newest = self.spool.newest()
        assert newest is not None
        assert newest.seq not in self.seen
        self.seen.add(newest.seq)
        self.held[newest.seq] = self.life_ms
        self.due()

    @rule()
    def the_newest_is_taken(self) -> None:
        newest = self.spool.newest()
        if newest is not None:
            self.spool.done([newest.seq])
            del self.held[newest.seq]

    @rule(most=st.integers(1, 8), which=st.integers(0, 255))
    def some_of_the_oldest_are_taken(self, most: int, which: int) -> None:
        asked = self.spool.oldest(self.clock.now(), most, EVERYTHING)
        assert [held.seq for held in asked] == sorted(self.held)[:most]
        done = [held.seq for bit, held in enumerate(asked) if which >> bit & 1]
        self.spool.done(done)
        for seq in done:
            del self.held[seq]

    @rule()
    def keep(self) -> None:
        self.spool.keep(self.clock.now())
        self.due()

    @rule()
    def kill(self) -> None:
        self.spool = again(self.spool, self.clock.now())
        self.held = {seq: at for seq, at in self.held.items() if seq in self.written}

    @rule(away_ms=st.integers(0, HOUR_MS), reboot=st.booleans())
    def stop_and_start(self, away_ms: int, reboot: bool) -> None:
        self.spool.flush(self.clock.now())
        self.spool.close()
        self.written |= set(self.held)
        now = self.clock.reboot(away_ms) if reboot else self.pass_(away_ms)
        self.spool = Spool(self.folder / "spool", self.spool.limits, now)

    @rule(ms=st.integers(0, 24 * HOUR_MS))
    def the_clock_is_set_ahead(self, ms: int) -> None:
        self.clock.wall_ms += ms

    @precondition(lambda self: hasattr(self, "spool"))
    @invariant()
    def exactly_what_must_be_held_is_held_in_order(self) -> None:
        held = everything(self.spool, self.clock.now())
        assert [one.seq for one in held] == sorted(self.held)
        assert self.spool.batches == len(self.held)
        assert self.spool.floor == min(self.held, default=self.spool.floor)
        assert not self.spool.dropped


TestAnyOrder = AnyOrder.TestCase

TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
