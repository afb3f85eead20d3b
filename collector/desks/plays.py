"""Loads that are played upon a service's policy: what it would have done, beside plain HPA and doing nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from collector.desks.advice import Advisor
from collector.who import Refusal, missing
from rules.capacity.slope import Numbers, Times
from rules.scaling.model import CPU, ScalingPolicy
from rules.scaling.simulate import Curve, Run, compare

STEPS_MAX = 2_000
AT_ONCE_MAX = 4
Past = Callable[[str, int, int, int], Awaitable[tuple[Times, Numbers]]]
"""How many instances a service kept busy to 100 %: given its name, until when, how long, in which steps. ValueError
where nothing is known of that."""


class Tried(Struct, frozen=True):
    """What is tried in the place of the policy's own; what is None stays. `start` is how many there are at first."""

    start: int | None = None
    min: int | None = None
    max: int | None = None
    cpu_target_pct: float | None = None


class Played(Struct, frozen=True):
    """How each way of scaling did."""

    step_ms: int
    runs: list[Run]


class Plays:
    """One load is played at a time; a few may wait. Refusal; StoreError."""

    def __init__(self, advisor: Advisor, past: Past, now_ms: Callable[[], int]) -> None:
        self._advisor, self._past, self._now_ms = advisor, past, now_ms
        self._turn, self._waiting = asyncio.Lock(), 0

    async def play(self, service: str, load: Sequence[float], step_ms: int, tried: Tried) -> Played:
        """`load` is how many instances are busy to 100 %, at every step."""
        policy = self._policy(service, tried)
        at = self._now_ms() + np.arange(len(load), dtype=np.int64) * step_ms
        async with self._in_turn():
            return await _compared(policy, Curve(at, np.array(load, np.float64)), tried)

    async def play_past(self, service: str, past_ms: int, step_ms: int, tried: Tried) -> Played:
        """What was really there."""
        policy = self._policy(service, tried)
        if past_ms // step_ms > STEPS_MAX:
            raise Refusal(422, "unfit", f"at most {STEPS_MAX} steps are played; take longer ones")
        async with self._in_turn():
            curve = Curve(*await self._past(service, self._now_ms(), past_ms, step_ms))
            return await _compared(policy, curve, tried)

    def _policy(self, service: str, tried: Tried) -> ScalingPolicy:
        """The policy with what is tried in its place."""
        standing = self._advisor.standing(service)
        if standing is None:
            raise missing("scaling policy of a service", service)
        policy = standing.policy
        targets = policy.targets
        if tried.cpu_target_pct is not None:
            targets = {**targets, CPU: tried.cpu_target_pct}
        try:
            return replace(
                policy,
                min=policy.min if tried.min is None else tried.min,
                max=policy.max if tried.max is None else tried.max,
                targets=targets,
            )
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """Refusal while too many wait, and for a ValueError within: what was asked for cannot be played."""
        if self._waiting >= AT_ONCE_MAX:
            raise Refusal(503, "busy", "several loads are being played already", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._turn:
                yield
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None
        finally:
            self._waiting -= 1


async def _compared(policy: ScalingPolicy, curve: Curve, tried: Tried) -> Played:
    start = policy.min if tried.start is None else tried.start
    runs = await asyncio.to_thread(compare, policy, curve, start)
    return Played(curve.step_ms, runs)
