"""What a push costs the collector with everything on, beside what it costs to read and decode it at all."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.client import Order, Pressed, press
from tests.bench.fleet import Server, Settings, bare, bound_rules, collector, stage
from tests.bench.table import Goal, Row, spread
from tests.system.harness import Collector

HOSTS = 100
SECONDS = 1.5
PACE_PER_S = 1_000


def run(settings: Settings) -> list[Row]:
    seconds = 0.3 if settings.quick else SECONDS
    with stage() as here:
        judging, tokens = collector(here, HOSTS)
        reading = bare(here)

        def beside(per_s: float | None, first: int) -> tuple[Pressed, Pressed]:
            """The two in turn, so that both meet the machine in the same mood."""
            return (
                press(_order(reading, tokens, seconds, per_s, first)),
                press(_order(judging, tokens, seconds, per_s, first)),
            )

        flat_out = [beside(None, HOSTS * 2 * turn) for turn in range(settings.rounds)]
        at_a_pace = [beside(PACE_PER_S, HOSTS * (2 * turn + 1)) for turn in range(settings.rounds)]
    what = f"CPU per push with all on ({bound_rules()} rules) ÷ one that only reads, unpacks, decodes"
    return [
        _row(f"{what}; flat out, {HOSTS} hosts", flat_out, Goal(2.0, 1.5)),
        _row(f"the same at {PACE_PER_S:,} pushes/s, where commits are shared by few", at_a_pace, None),
    ]


def _order(
    server: Server | Collector, tokens: list[str], seconds: float, per_s: float | None, first: int
) -> Order:
    # Each press is of agents that were installed anew (other spools), since each counts its batches from 0.
    return Order(server.port, server.pid, tokens, seconds, per_s, first=first)


def _row(what: str, rounds: Sequence[tuple[Pressed, Pressed]], goal: Goal | None) -> Row:
    ratios = [judging.cpu_us_per_push / reading.cpu_us_per_push for reading, judging in rounds]
    ours = spread([judging.cpu_us_per_push for _, judging in rounds], 0)
    least = spread([reading.cpu_us_per_push for reading, _ in rounds], 0)
    value = sorted(ratios)[len(ratios) // 2]
    return Row(what, f"{spread(ratios)}: {ours} µs ÷ {least} µs", value, goal)
