"""What scaling is told (a policy), what it sees (instances and their numbers) and what it says (a recommendation)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

CPU, MEMORY, LATENCY = "cpu_used_pct", "memory_used_pct", "http_total_ms"
Count = Annotated[int, Meta(ge=1, le=10_000)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]

# --- what it is told --------------------------------------------------------------------------------------------------


class Pace(Struct, frozen=True, kw_only=True):
    """How much may change within a while: so many instances, or such a share of those there are.

    instances: at most so many within `per`
    percent: at most this share of them within `per`
    per: the while that this is for
    """

    instances: Annotated[int, Meta(ge=1)] | None = None
    percent: Annotated[float, Meta(gt=0)] | None = None
    per_s: Annotated[float, Meta(ge=1, le=1_800)] = 15.0

    def __post_init__(self) -> None:
        if (self.instances is None) == (self.percent is None):
            raise ValueError("give either instances or percent")


class Way(Struct, frozen=True, kw_only=True):
    """How instances are added, or how they are taken away.

    stabilise: of what was wanted within this while, the wish that changes least holds
    cooldown: how long after any change nothing is changed this way
    pace: how fast; of several the one that allows most holds
    select: max for that, min for the one that allows least, disabled for no change this way
    """

    stabilise_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    cooldown_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    pace: tuple[Pace, ...] = ()
    select: Literal["max", "min", "disabled"] = "max"


class Gates(Struct, frozen=True, kw_only=True):
    """What must be so before anything is changed; the targets then say by how much. Without gates the targets decide
    alone, as in Kubernetes' HorizontalPodAutoscaler.

    up: instances are added once any of these is exceeded
    down: they are taken away once all of these are fallen short of
    readable_pct: what share of the instances must give their numbers, or nothing is known
    """

    up: dict[str, float] = field(default_factory=lambda: {CPU: 80.0, MEMORY: 80.0, LATENCY: 1_000.0})
    down: dict[str, float] = field(default_factory=lambda: {CPU: 30.0, MEMORY: 30.0})
    readable_pct: Percent = 80.0

    def __post_init__(self) -> None:
        for metric, low in self.down.items():
            if metric in self.up and low >= self.up[metric]:
                raise ValueError(f"down: {metric} must lie below the {self.up[metric]:g} of up")


class LookAhead(Struct, frozen=True, kw_only=True):
    """Asking for instances before a peak that comes every day or week.

    by: how long before the load they are asked for
    trust_pct: how much of the peaks of late the pattern must have foretold
    """

    by_s: Annotated[float, Meta(ge=60, le=6 * 3_600)] = 1_800.0
    trust_pct: Percent = 70.0


class ScalingPolicy(Struct, frozen=True, kw_only=True):
    """How a service is to be scaled.

    where: labels of the hosts that are its instances (`host` is the host's name)
    current: how many instances there are, where they are not hosts of ours
    min: at least so many instances
    max: at most so many
    targets: where each number is to be, on average over the instances
    gates: what must be so before anything is changed; null for none
    tolerance_pct: a wish that differs by less than this share of the target is none
    up: how instances are added
    down: how they are taken away
    look_ahead: asking before a peak that comes every day or week; null for never
    """

    where: dict[str, str | list[str]] = {}
    current: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    min: Count = 2
    max: Count = 10
    targets: Annotated[dict[str, float], Meta(min_length=1, max_length=20)] = field(
        default_factory=lambda: {CPU: 70.0, MEMORY: 80.0}
    )
    gates: Gates | None = Gates()
    tolerance_pct: Percent = 10.0
    up: Way = Way(cooldown_s=60.0, pace=(Pace(instances=4), Pace(percent=100.0)))
    down: Way = Way(stabilise_s=300.0, cooldown_s=300.0, pace=(Pace(percent=100.0),))
    look_ahead: LookAhead | None = LookAhead()

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"min must not be greater than max, {self.max}")
        for metric, target in self.targets.items():
            if not (target > 0 and math.isfinite(target)):
                raise ValueError(f"targets: {metric} needs a number above 0")

    @property
    def metrics(self) -> list[str]:
        """Every number that it looks at."""
        gates = self.gates
        return list(
            dict.fromkeys([*self.targets, *(gates.up if gates else ()), *(gates.down if gates else ())])
        )


Preset = Literal["default", "staging", "production"]


class PresetValues(Struct, frozen=True):
    min: int
    max: int
    targets: dict[str, float]


PRESETS: dict[Preset, PresetValues] = {
    "default": PresetValues(2, 10, {CPU: 70.0, MEMORY: 80.0}),
    "staging": PresetValues(2, 5, {CPU: 70.0}),
    "production": PresetValues(3, 10, {CPU: 60.0}),
}


def preset(name: Preset) -> ScalingPolicy:
    values = PRESETS[name]
    return ScalingPolicy(min=values.min, max=values.max, targets=values.targets)


# --- what it sees -----------------------------------------------------------------------------------------------------


class Instance(Struct, frozen=True):
    """One instance: `starting` does not work yet, of `unknown` nothing is known. A number that it did not give, or
    gave as NaN, is missing."""

    name: str
    state: Literal["ready", "starting", "unknown"] = "ready"
    values: dict[str, float] = {}

    def value(self, metric: str) -> float | None:
        found = self.values.get(metric)
        return None if self.state == "unknown" or found is None or math.isnan(found) else found


class Seen(Struct, frozen=True):
    """A service at a moment. `of_all` are numbers of the service as a whole, such as how long its answers take."""

    instances: tuple[Instance, ...]
    of_all: dict[str, float] = {}
    current: int | None = None

    @property
    def count(self) -> int:
        return len(self.instances) if self.current is None else self.current


class Change(Struct, frozen=True):
    """What really became of the number of instances."""

    at: int
    before: int
    after: int


class Past(Struct, frozen=True):
    """What was wanted (before any smoothing) and what was changed, oldest first; an hour of each is enough."""

    wanted: tuple[tuple[int, int], ...] = ()
    changes: tuple[Change, ...] = ()


class Foreseen(Struct, frozen=True):
    """How many instances a pattern says will be needed at `at`, and how many of 100 peaks of late it foretold."""

    needed: float
    at: int
    trust_pct: float


# --- what it says -----------------------------------------------------------------------------------------------------

Direction = Literal["up", "down", "hold", "unknown"]


class Evidence(Struct, frozen=True):
    """One number against its target. `wanted` is how many instances it asks for, None where it cannot say."""

    metric: str
    observed: float | None
    target: float
    wanted: int | None
    instances: int


class Recommendation(Struct, frozen=True):
    """What should be done about a service. `unsmoothed` is what the numbers alone ask for; `confidence` is from 0 to 1;
    after `expires_at` it is not to be followed any more."""

    service: str
    at: int
    direction: Direction
    current: int = field(name="from")
    wanted: int = field(name="to")
    unsmoothed: int
    reason: str
    evidence: tuple[Evidence, ...]
    confidence: float
    expires_at: int
