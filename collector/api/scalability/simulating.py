"""What a way of scaling would have done with a load, beside others."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from collector.api.doors import Body, Door, Query, Refusal
from collector.api.scalability import ServiceName
from collector.api.views import Span, span_ms
from collector.config.thresholds import Percent
from collector.desks.plays import STEPS_MAX, Plays, Tried
from collector.who import Who
from rules.scaling.simulate import Run

RANGE_S_MAX = 28 * 86_400


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
    def __init__(self, plays: Plays) -> None:
        self._plays = plays

    def doors(self) -> list[Door]:
        return [
            Door(
                method="POST", path="/scalability/simulate", handler=self.simulate, needs="monitoring.read",
                summary="Play a load upon a service's policy, beside plain HPA and doing nothing",
                body=Simulation, answer=Simulated, refusals=(404,),
            ),
        ]  # fmt: skip

    async def simulate(self, who: Who, asked: Query, wanted: Simulation) -> Simulated:
        if (wanted.range is None) == (not wanted.load):
            raise Refusal(422, "unfit", "give either a load to be played, or the range of one that was")
        tried = Tried(wanted.start, wanted.min, wanted.max, wanted.cpu_target_pct)
        step_ms = span_ms(wanted.step, "step")
        if wanted.range is None:
            played = await self._plays.play(wanted.service, wanted.load, step_ms, tried)
        else:
            past_ms = span_ms(wanted.range, "range", most_s=RANGE_S_MAX)
            played = await self._plays.play_past(wanted.service, past_ms, step_ms, tried)
        steps = len(played.runs[0].instances)
        return Simulated(wanted.service, played.step_ms, steps, [_view(run) for run in played.runs])


def _view(run: Run) -> RunView:
    return RunView(
        run.name,
        run.above_target_s,
        run.full_s,
        run.instance_hours,
        run.changes,
        run.highest,
        run.instances.tolist(),
    )
