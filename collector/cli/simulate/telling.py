"""How a simulation goes and went, in words."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TextIO

from collector.cli.progress import CLEAR
from collector.cli.simulate.fleet import Fleet
from collector.cli.simulate.tally import Tally

TERMINAL_EVERY_S, LOG_EVERY_S = 1.0, 10.0


async def keep_telling(fleet: Fleet, out: TextIO) -> None:
    every_s = TERMINAL_EVERY_S if out.isatty() else LOG_EVERY_S
    begun_s = told_s = time.monotonic()
    with contextlib.ExitStack() as at_the_end:
        if out.isatty():
            at_the_end.callback(out.write, CLEAR)
        while True:
            await asyncio.sleep(every_s)
            now_s = time.monotonic()
            text = line(fleet.lately(), now_s - told_s)
            out.write(f"{CLEAR}{now_s - begun_s:5.0f} s  {text}" if out.isatty() else f"{text}\n")
            out.flush()
            told_s = now_s


def line(tally: Tally, seconds: float) -> str:
    """How it goes, in one line."""
    took = tally.latencies
    return (
        f"{tally.taken / seconds:8.1f} pushes/s  p50 {took.quantile_ms(0.5):.1f} ms"
        f"  p99 {took.quantile_ms(0.99):.1f} ms" + "".join(f"  {words}" for words in not_taken(tally))
    )


def not_taken(tally: Tally) -> list[str]:
    kinds = {
        "put off": tally.put_off,
        "refused": tally.refused,
        "without an answer": tally.lost,
        "left out": tally.left_out,
    }
    return [f"{count} {words}" for words, count in kinds.items() if count]


def report(tally: Tally, seconds: float, cpu_s: float, series: int) -> str:
    """What came of it all, and why something was not taken."""
    pushes, took = max(1, tally.taken), tally.latencies
    others = not_taken(tally)
    lines = [
        f"{tally.taken} pushes of {series} series were taken in {seconds:.1f} s"
        + (f" ({', '.join(others)})." if others else "."),
        f"{tally.taken / seconds:.1f} pushes/s; p50 {took.quantile_ms(0.5):.1f} ms, "
        f"p99 {took.quantile_ms(0.99):.1f} ms; this side took {cpu_s / pushes * 1e6:.0f} µs of CPU a push.",
    ]
    return "\n".join(lines + [f"{count} times: {why}" for why, count in tally.reasons.most_common()])
