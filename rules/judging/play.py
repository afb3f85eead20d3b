"""A story told batch by batch and judged as it would be live: what `rules test` and `rules replay` stand on.

It is the judge's own functions that are called here, in the order in which the collector calls them; only the store is
left out, so that every outcome is taken into memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rules.capacity.forecast import Past
from rules.fleet.shared import METRIC, VALUES, SharedCheck
from rules.judging.engine import Rule, series_of
from rules.judging.judge import Watch, apply, judge, repair, repairs_due, tick
from rules.judging.slow import asked, due, foretell, judge_slow
from rules.memory.windows import Row
from rules.model import Arrival, ChannelView, CheckAnswer, CheckSaid, CheckState, Host, Outcome
from rules.policy import Policy

SPOOL = "0" * 32
LOOK_MS = 60_000
"""So often it is asked whose long past is to be looked at."""


class Player:
    """Judges batches in the order in which they arrive, and hands each outcome to `told`.

    `hosts` are taken as never heard before. Every `tick_ms` between two batches is a tick. Where batches come late,
    `repairs_due` is to be asked now and then, and `repair` called for each host that it names; likewise `looks_due`,
    `wants` and `look` for rules that look at a long past.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        channels: Iterable[ChannelView],
        hosts: Iterable[Host],
        *,
        start: int,
        tick_ms: int,
        told: Callable[[Outcome], None],
        policy: Policy | None = None,
        shared: Iterable[SharedCheck] = (),
    ) -> None:
        self.watch = Watch("0" * 12, rules, channels, policy, shared)
        for host in hosts:
            self.watch.add_host(unheard(host))
        self._tick_ms, self._told = tick_ms, told
        self.now, self._next_tick_at, self._next_look_at = start, start + tick_ms, start
        self._looks = any(rule.cadence == "slow" for rule in self.watch.rules.values())
        self._seq: dict[int, int] = {}

    def batch(
        self,
        host: int,
        at: int,
        every_ms: int,
        layout: tuple[str, ...],
        values: npt.NDArray[np.float64],
        checks: Sequence[CheckSaid] = (),
        arrived_at: int | None = None,
    ) -> None:
        """A batch that was sampled at `at`, and arrives then where nothing else is said."""
        self.until(at if arrived_at is None else arrived_at)
        seq = self._seq[host] = self._seq.get(host, -1) + 1
        arrival = Arrival(host, SPOOL, seq, 0, at, self.now, every_ms, 0, layout, values, checks)
        self._take(judge(self.watch, arrival, self.now))

    def repairs_due(self) -> list[tuple[int, int]]:
        """Hosts to be judged again after late batches, each with the sample time from which on its rows are needed."""
        return repairs_due(self.watch, self.now) if self.watch.late else []

    def repair(self, host: int, rows: Sequence[Row]) -> None:
        """`rows` are those of the host that have arrived by now."""
        self._take(repair(self.watch, host, rows, self.now))

    def looks_due(self) -> list[int]:
        """Hosts whose long past is to be looked at by now."""
        if not self._looks or self.now < self._next_look_at:
            return []
        self._next_look_at = self.now + LOOK_MS
        return due(self.watch, self.now)

    def wants(self, host: int, newest: Mapping[str, float]) -> list[str]:
        """The series whose past `look` is to be given; `newest` are the values of the host's newest batch."""
        return list(dict.fromkeys(name for _, name in asked(self.watch.hosts[host], newest)))

    def look(self, host: int, newest: Mapping[str, float], pasts: Mapping[str, Past]) -> None:
        forecasts = foretell(asked(self.watch.hosts[host], newest), pasts, self.now)
        self._take(judge_slow(self.watch, host, newest, forecasts, self.now))

    def until(self, now: int) -> None:
        """Let time pass; it never goes back."""
        self.now = max(now, self.now)
        while self._next_tick_at <= now:
            self._take(tick(self.watch, self._next_tick_at))
            self._next_tick_at += self._tick_ms

    def _take(self, outcome: Outcome) -> None:
        apply(self.watch, outcome)
        if not outcome.empty:
            self._told(outcome)


_STATES: dict[float, CheckState] = {value: state for state, value in VALUES.items() if value == value}


def checks_in(layout: Sequence[str], values: Iterable[float], at: int) -> list[CheckAnswer]:
    """What the checks behind the series `check_state` said."""
    checks = []
    for name, value in zip(layout, values, strict=True):
        if name.startswith(METRIC + "{"):
            labels = series_of(name).labels
            state = _STATES.get(float(value), "unknown")
            checks.append(CheckAnswer(labels.get("check", "?"), labels.get("kind", "?"), state, at))
    return checks


def unheard(host: Host) -> Host:
    """The host as it was before its first batch."""
    return Host(host.id, host.name, host.labels, own_labels=host.own_labels, every_ms=host.every_ms)
