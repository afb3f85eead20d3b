"""What a push costs the collector with everything on, beside what it costs to read and decode it at all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.bench.client import Order, Pressed, press
from tests.bench.fleet import Settings, bare, bound_rules, collector, stage
from tests.bench.table import Goal, Row, spread

HOSTS = 100
SECONDS = 1.5
PACE_PER_S = 1_000


def run(settings: Settings) -> list[Row]:
    seconds = 0.3 if settings.quick else SECONDS
    with stage() as here:
        judging, tokens = collector(here, HOSTS)
        reading = bare(here)

        def beside(per_s: float | None) -> tuple[Pressed, Pressed]:
            """The two in turn, so that both meet the machine in the same mood."""
            return (
                press(Order(reading.port, reading.pid, tokens, seconds, per_s)),
                press(Order(judging.port, judging.pid, tokens, seconds, per_s)),
            )

        flat_out = [beside(None) for _ in range(settings.rounds)]
        at_a_pace = [beside(PACE_PER_S) for _ in range(settings.rounds)]
    what = f"CPU per push with all on ({bound_rules()} rules) ÷ one that only reads, unpacks, decodes"
    return [
        _row(f"{what}; flat out, {HOSTS} hosts", flat_out, Goal(2.0, 1.5)),
        _row(f"the same at {PACE_PER_S:,} pushes/s, where commits are shared by few", at_a_pace, None),
    ]


def _row(what: str, rounds: Sequence[tuple[Pressed, Pressed]], goal: Goal | None) -> Row:
    ratios = [judging.cpu_us_per_push / reading.cpu_us_per_push for reading, judging in rounds]
    ours = spread([judging.cpu_us_per_push for _, judging in rounds], 0)
    least = spread([reading.cpu_us_per_push for reading, _ in rounds], 0)
    return Row(what, f"{spread(ratios)}: {ours} µs ÷ {least} µs", median(ratios), goal)
