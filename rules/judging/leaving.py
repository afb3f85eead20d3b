"""Hosts that are removed: what was said of them ends, and whoever heard of it hears that."""

from __future__ import annotations

from collections.abc import Collection

from rules.judging.record import Recorder
from rules.memory.watch import Watch
from rules.model import Change, Outcome

WHY = "the host was removed"


def leave(watch: Watch, hosts: Collection[int], now: int) -> Outcome:
    """What follows from it. To be applied before the Watch forgets the hosts, which must be known to it."""
    recorder = Recorder(watch, Outcome(judged_at=now))
    for number in hosts:
        memory = watch.hosts[number]
        for (rule, series), state in memory.series_states().items():
            recorder.change(Change(number, rule, series, state, None, now, None, WHY))
        for state in memory.absence.values():
            recorder.heard(state, now, WHY)
    return recorder.finish()
