"""What a way of scaling would have done with a load, beside others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from msgspec.structs import replace

from collector.api.doors import Body, Door, Query, Refusal, missing
from collector.api.scalability import ServiceName
from collector.api.views import Span, span_ms
from collector.config.thresholds import Percent
from collector.desks.advice import Advisor
from collector.who import Who
from rules.capacity.slope import Numbers, Times
from rules.scaling.model import CPU, ScalingPolicy
from rules.scaling.simulate import Curve, Run, compare

STEPS_MAX = 2_000
RANGE_S_MAX = 28 * 86_400
AT_ONCE_MAX = 4
Load = Callable[[str, int, int, int], Awaitable[tuple[Times, Numbers]]]
"""How many instances a service kept busy to 100 %: given its name, until when, how long, in which steps. ValueError
where nothing is known of that."""


class Simulation(Body, frozen=True, kw_only=True):
    """A load to be played: either `load`, how many instances it keeps busy to 100 %, at every `step`; or what was
    really there in `range`. `min`, `max` and `cpu_target_pct` are tried in the place of the policy's own."""

    service: ServiceName
    load: Annotated[tuple[Annotated[float, Meta(ge=0, le=10_000)], ...], Meta(max_length=STEPS_MAX)] = ()
    step: Span = "5m"
    range: Span | None = None
    start: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    min: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    max: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    cpu_target_pct: Percent | None = None


class RunView(Struct, frozen=True):
    """How one way of scaling did: so long instances were busier than wanted, and so long they could not do all."""

    name: str
    above_target_s: float
    full_s: float
    instance_hours: float
    changes: int
    highest: int
    instances: list[int]


class Simulated(Struct, frozen=True):
    service: str
    step_ms: int
    steps: int
    runs: list[RunView]


class Simulating:
    """One load is played at a time; a few may wait."""

    def __init__(self, advisor: Advisor, load: Load, now_ms: Callable[[], int]) -> None:
        self._advisor, self._load, self._now_ms = advisor, load, now_ms
        self._turn, self._waiting = asyncio.Lock(), 0

    def doors(self) -> list[Door]:
        return [
            Door(
                method="POST", path="/scalability/simulate", handler=self.simulate, needs="monitoring.read",
                summary="Play a load upon a service's policy, beside plain HPA and doing nothing",
                body=Simulation, answer=Simulated, refusals=(404,),
            ),
        ]  # fmt: skip

    async def simulate(self, who: Who, asked: Query, wanted: Simulation) -> Simulated:
        standing = self._advisor.standing(wanted.service)
        if standing is None:
            raise missing("scaling policy of a service", wanted.service)
        policy = _policy(standing.policy, wanted)
        curve = await self._curve(wanted)
        start = wanted.start if wanted.start is not None else policy.min
        if self._waiting >= AT_ONCE_MAX:
            raise Refusal(503, "busy", "several loads are being played already", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._turn:
                runs = await asyncio.to_thread(compare, policy, curve, start)
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None
        finally:
            self._waiting -= 1
        return Simulated(wanted.service, curve.step_ms, len(curve.at), [_view(run) for run in runs])

    async def _curve(self, wanted: Simulation) -> Curve:
        step_ms, now = span_ms(wanted.step, "step"), self._now_ms()
        if (wanted.range is None) == (not wanted.load):
            raise Refusal(422, "unfit", "give either a load to be played, or the range of one that was")
        if wanted.range is None:
            at = now + np.arange(len(wanted.load), dtype=np.int64) * step_ms
            return Curve(at, np.array(wanted.load, np.float64))
        past_ms = span_ms(wanted.range, "range", most_s=RANGE_S_MAX)
        if past_ms // step_ms > STEPS_MAX:
            raise Refusal(422, "unfit", f"at most {STEPS_MAX} steps are played; take longer ones")
        try:
            return Curve(*await self._load(wanted.service, now, past_ms, step_ms))
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None


def _policy(policy: ScalingPolicy, wanted: Simulation) -> ScalingPolicy:
    """The policy with what is tried in its place. Refusal when that makes no sense."""
    targets = policy.targets
    if wanted.cpu_target_pct is not None:
        targets = {**targets, CPU: wanted.cpu_target_pct}
    try:
        return replace(
            policy,
            min=policy.min if wanted.min is None else wanted.min,
            max=policy.max if wanted.max is None else wanted.max,
            targets=targets,
        )
    except ValueError as error:
        raise Refusal(422, "unfit", str(error)) from None


def _view(run: Run) -> RunView:
    return RunView(
        run.name,
        run.above_target_s,
        run.full_s,
        run.instance_hours,
        run.changes,
        int(run.instances.max()),
        run.instances.tolist(),
    )
