"""A service to be scaled, put together in a line."""

from __future__ import annotations

from collections.abc import Sequence

from rules.scaling.decide import decide
from rules.scaling.model import CPU, Instance, Past, Recommendation, ScalingPolicy, Seen

NOW = 1_760_000_000_000
MINUTE_MS = 60_000

NOTHING_YET = Past()


def seen(
    *cpu: float | str | None, memory: Sequence[float | None] = (), current: int | None = None, **of_all: float
) -> Seen:
    """An instance for each of `cpu`: its number, None where it is missing, "?" for one that is unknown; "s40" is one
    that is starting and at 40."""
    memories = list(memory) or [None] * len(cpu)
    return Seen(
        tuple(_instance(number, *both) for number, both in enumerate(zip(cpu, memories, strict=True))),
        of_all,
        current,
    )


def _instance(number: int, cpu: float | str | None, memory: float | None) -> Instance:
    values = {} if memory is None else {"memory_used_pct": memory}
    match cpu:
        case "?":
            return Instance(f"i{number}", "unknown", values)
        case str():
            return Instance(f"i{number}", "starting", {**values, CPU: float(cpu[1:])})
        case None:
            return Instance(f"i{number}", "ready", values)
    return Instance(f"i{number}", "ready", {**values, CPU: cpu})


def asked(policy: ScalingPolicy, what: Seen, past: Past = NOTHING_YET, now: int = NOW) -> Recommendation:
    return decide("shop", policy, what, past, now)
