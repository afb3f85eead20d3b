"""What a thousand programs that read do to the pushes of a fleet beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from collector.access.api_tokens import new_api_token
from collector.store.people import ApiToken
from collector.stores.sqlite import open_store
from tests.bench.client import Order, Pressed, press
from tests.bench.fleet import Settings, collector, stage
from tests.bench.progress import tell_each
from tests.bench.table import Goal, Row, spread
from tests.system.harness import Collector

HOSTS, TOKENS = 1_000, 1_000
PUSHES_PER_S, READS_PER_S = 1_000, 200
SECONDS = 5.0


def run(settings: Settings) -> list[Row]:
    hosts, tokens, seconds = (50, 20, 1.0) if settings.quick else (HOSTS, TOKENS, SECONDS)
    alone: list[Pressed] = []
    beside: list[Pressed] = []
    reads: list[Pressed] = []
    with stage() as here:
        serving, agents = collector(here, hosts)
        readers = asyncio.run(readers_of(serving.database.parent, tokens))
        for turn in range(settings.rounds):
            tell_each(1, turn, settings.rounds, "rounds")
            pushing = Order(serving.port, serving.pid, agents, seconds, PUSHES_PER_S)
            alone.append(press(pushing))
            pushed, read = _both(pushing, reading(serving, readers, seconds))
            beside.append(pushed)
            reads.append(read)
    ratios = [with_.p99_ms / without.p99_ms for with_, without in zip(beside, alone, strict=True)]
    pushes = f"{spread([one.p99_ms for one in beside], 0)} ms ÷ {spread([one.p99_ms for one in alone], 0)} ms"
    return [
        Row(
            f"push until it is on disk and answered, p99 at {PUSHES_PER_S:,}/s: beside {READS_PER_S} reads/s of "
            f"{tokens:,} tokens ÷ without",
            f"{spread(ratios)}: {pushes}",
            median(ratios),
            Goal(2.0, 1.3),
        ),
        Row(
            f"a read of the API by one of {tokens:,} tokens beside that, p99",
            f"{spread([one.p99_ms for one in reads], 0)} ms (p50 {spread([one.p50_ms for one in reads], 0)} ms)",
            median(one.p99_ms for one in reads),
        ),
    ]


def reading(serving: Collector, readers: Sequence[str], seconds: float) -> Order:
    return Order(serving.port, serving.pid, list(readers), seconds, READS_PER_S, speaks="reads")


def _both(pushing: Order, reads: Order) -> tuple[Pressed, Pressed]:
    with ThreadPoolExecutor(2) as threads:
        pushed, read = threads.submit(press, pushing), threads.submit(press, reads)
        return pushed.result(), read.result()


async def readers_of(state: Path, count: int) -> list[str]:
    """New tokens that may read, put into the store beside the collector."""
    store = await open_store(state, role="tool")
    try:
        texts = []
        for number in range(count):
            text, token, sha256 = new_api_token()
            await store.people.add_api_token(
                ApiToken(token, f"reader-{number}", sha256, ("monitoring.read",), 0, "bench")
            )
            texts.append(text)
        return texts
    finally:
        await store.close()
