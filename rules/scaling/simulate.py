"""What a policy would have done with a load: instances over time, time above the target, instance hours, changes.

Load is counted in instances that are busy to 100 %; it is shared evenly by those that work. An instance that is asked
for works after a while; one that is taken away stops at once.
"""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from rules.capacity.season import DAY_MS
from rules.capacity.slope import Numbers, Times
from rules.scaling.ahead import RECENT_MS, Study, foresee, study
from rules.scaling.decide import decide
from rules.scaling.model import CPU, Change, Foreseen, Instance, Past, ScalingPolicy, Seen, Way
from rules.scaling.smooth import remembered

STEPS_MAX = 100_000
PAST_MS = 28 * DAY_MS
"""A pattern is looked for in no more of the past than this."""
STARTUP_S = 120.0
FULL_PCT = 100.0


class Curve(Struct, frozen=True):
    """A load over time: `at` ascends evenly; `load` is how many instances it keeps busy to 100 %."""

    at: Times
    load: Numbers

    @property
    def step_ms(self) -> int:
        return int(self.at[1] - self.at[0])


class Run(Struct, frozen=True):
    """How one way of scaling did. `above_target_s` is time in which instances were busier than the target allows with
    its tolerance, `full_s` time in which they could not do all there was to do."""

    name: str
    instances: Times
    used_pct: Numbers
    above_target_s: float
    full_s: float
    instance_hours: float
    changes: int

    @property
    def highest(self) -> int:
        """The most instances that there were at once."""
        return int(self.instances.max())


def reactive(policy: ScalingPolicy) -> ScalingPolicy:
    """The same bounds and targets as Kubernetes' HorizontalPodAutoscaler would have them by default."""
    plain = ScalingPolicy()
    return replace(
        policy,
        gates=None,
        look_ahead=None,
        up=replace(plain.up, cooldown_s=0.0, stabilise_s=0.0),
        down=replace(plain.down, cooldown_s=0.0, stabilise_s=300.0),
    )


def still(policy: ScalingPolicy) -> ScalingPolicy:
    """Nothing is ever changed."""
    return replace(
        policy, gates=None, look_ahead=None, up=Way(select="disabled"), down=Way(select="disabled")
    )


def compare(policy: ScalingPolicy, curve: Curve, start: int, before: Curve | None = None) -> list[Run]:
    """The policy beside the same without looking ahead, plain reactive HPA, and doing nothing.

    `start` is how many instances there are at first; `before` is the load until then, which a pattern is found in.
    """
    ways = {
        "policy": policy,
        "policy, not looking ahead": replace(policy, look_ahead=None),
        "reactive HPA": reactive(policy),
        "nothing": still(policy),
    }
    if policy.look_ahead is None:
        del ways["policy, not looking ahead"]
    return [run(name, way, curve, start, before) for name, way in ways.items()]


def run(name: str, policy: ScalingPolicy, curve: Curve, start: int, before: Curve | None = None) -> Run:
    """Play a curve of at most STEPS_MAX steps. ValueError for a longer or shorter one, or without a target for CPU."""
    if not 2 <= len(curve.at) <= STEPS_MAX:
        raise ValueError(f"a load of 2 to {STEPS_MAX:,} steps can be played, not of {len(curve.at):,}")
    if CPU not in policy.targets:
        raise ValueError(f"a load is played upon {CPU}; the policy has no target for it")
    player = _Player(policy, start, before)
    played = [player.step(int(at), float(load)) for at, load in zip(curve.at, curve.load, strict=True)]
    counts = np.array([count for count, _ in played], np.int64)
    used = np.array([pct for _, pct in played])
    step_s = curve.step_ms / 1000
    limit = policy.targets[CPU] * (1 + policy.tolerance_pct / 100)
    return Run(
        name,
        counts,
        np.minimum(used, FULL_PCT),
        above_target_s=float((used > limit + 1e-9).sum()) * step_s,
        full_s=float((used > FULL_PCT).sum()) * step_s,
        instance_hours=float(counts.sum()) * step_s / 3_600,
        changes=int((np.diff(counts) != 0).sum()),
    )


class _Player:
    """A service that does what it is told, step by step."""

    def __init__(self, policy: ScalingPolicy, start: int, before: Curve | None) -> None:
        self._policy = replace(policy, targets={CPU: policy.targets[CPU]})
        self._ready_at = [0] * start
        self._past = Past()
        self._pattern = _Learner(self._policy, before) if policy.look_ahead else None

    def step(self, at: int, load: float) -> tuple[int, float]:
        """How many instances there are, and how busy those that work are, which is above 100 where it is too much."""
        count, working = len(self._ready_at), sum(ready <= at for ready in self._ready_at)
        used = 100 * load / working if working else math.inf
        foreseen = self._pattern.foreseen(at, min(used, FULL_PCT) * working) if self._pattern else None
        said = decide("simulated", self._policy, self._seen(at, used), self._past, at, foreseen)
        wanted = (*self._past.wanted, (at, said.unsmoothed))
        self._past = remembered(replace(self._past, wanted=wanted), at)
        if said.wanted != count:
            self._change(at, said.wanted)
        return count, used

    def _seen(self, at: int, used: float) -> Seen:
        values = {CPU: min(used, FULL_PCT)}
        return Seen(
            tuple(
                Instance(str(number), "ready" if ready <= at else "starting", values)
                for number, ready in enumerate(self._ready_at)
            )
        )

    def _change(self, at: int, wanted: int) -> None:
        count = len(self._ready_at)
        self._past = replace(self._past, changes=(*self._past.changes, Change(at, count, wanted)))
        added = max(0, wanted - count)
        self._ready_at = [*self._ready_at[:wanted], *[at + round(STARTUP_S * 1000)] * added]


class _Learner:
    """Studies the past once a day, and sees ahead from what it learnt."""

    def __init__(self, policy: ScalingPolicy, before: Curve | None) -> None:
        assert policy.look_ahead is not None
        self._by_ms = round(policy.look_ahead.by_s * 1000)
        self._per_instance = policy.targets[CPU]
        self._at: list[int] = [] if before is None else before.at.tolist()
        self._load: list[float] = (
            [] if before is None else (before.load * FULL_PCT / self._per_instance).tolist()
        )
        self._learnt: Study | None = None
        self._learnt_at = -math.inf

    def foreseen(self, at: int, used_pct: float) -> Foreseen | None:
        """`used_pct` is that of all instances together."""
        self._at.append(at)
        self._load.append(used_pct / self._per_instance)
        if at - self._learnt_at >= DAY_MS:
            self._learn(at)
        assert self._learnt is not None
        recent = bisect_right(self._at, at - RECENT_MS)
        newest = (np.array(self._at[recent:], np.int64), np.array(self._load[recent:]))
        return foresee(self._learnt, *newest, at, self._by_ms)

    def _learn(self, at: int) -> None:
        since = bisect_right(self._at, at - PAST_MS)
        del self._at[:since], self._load[:since]
        self._learnt = study(np.array(self._at, np.int64), np.array(self._load), self._by_ms)
        self._learnt_at = at
