"""One batch, as a person at a terminal wants to read it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from agent.checks import Check, Measured
from agent.clock import Clock
from agent.config import PlannedCheck
from agent.facts import Facts, resident_bytes
from agent.loop import new_batch
from agent.sampler import Sampler
from agent.wire import Batch, CheckState

BETWEEN_S = 1.0
"""What is counted per second needs two looks."""


class Seen(Struct):
    """A batch, and which of its series came from which check, by the check's id."""

    batch: Batch
    series: dict[str, list[str]]


class Witness:
    """A check that remembers which series it brought."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self.series: list[str] = []

    def measure(self, at_s: float) -> Measured:
        found = self._check.measure(at_s)
        self.series = list(found.samples)
        return found


def look(plan: Sequence[PlannedCheck], labels: dict[str, str], every_ms: int, clock: Clock) -> Seen:
    """Ask every check twice, a moment apart, and keep the second answers."""
    witnesses = {check.id: Witness(check.build()) for check in plan}
    sampler = Sampler([check.question(witnesses[check.id]) for check in plan])
    sampler.sample()
    time.sleep(BETWEEN_S)
    tick = sampler.sample()
    sampler.close()
    now = clock()
    batch = new_batch(tick, {"agent_rss_bytes": resident_bytes()}, every_ms)
    batch.at = batch.sent = now.wall_ms
    batch.facts, batch.labels = Facts().gather(now), labels
    return Seen(batch, {id: witness.series for id, witness in witnesses.items()})


def text(seen: Seen) -> str:
    """The facts, and below each check what it found."""
    batch = seen.batch
    groups = [(_heading(check), seen.series.get(check.id, [])) for check in batch.checks]
    taken = {name for _, names in groups for name in names}
    rest = [name for name in batch.samples if name not in taken and not name.startswith("check_state{")]
    facts = {key: _fact(key, value) for key, value in (batch.facts or {}).items()}
    lines = list(_pairs(facts | {f"label {key}": value for key, value in (batch.labels or {}).items()}))
    for heading, names in [*groups, ("the agent itself", rest)]:
        lines += ["", heading]
        known = [name for name in names if name in batch.samples]
        lines += _pairs({f"  {name}": human(name, batch.samples[name]) for name in known}, right=True)
    return "\n".join(lines)


def _fact(key: str, value: str) -> str:
    return human(key, float(value)) if key.endswith("_bytes") else value


def _heading(check: CheckState) -> str:
    name = check.id if check.id == check.kind else f"{check.id} ({check.kind})"
    took = f" in {check.ms:.1f} ms" if check.ms is not None else ""
    return f"{name}: {check.state}{took}{f', {check.detail}' if check.detail else ''}"


def _pairs(pairs: dict[str, str], *, right: bool = False) -> Iterator[str]:
    """Two columns; numbers are aligned on the right, their units beside them."""
    width = max(map(len, pairs), default=0)
    wide = max((len(value.partition(" ")[0]) for value in pairs.values()), default=0)
    for key, value in pairs.items():
        number, space, unit = value.partition(" ")
        yield f"{key:{width}}  " + (f"{number:>{wide}}{space}{unit}" if right else value)


def human(series: str, value: float | None) -> str:
    """A value in the unit that the name of its series ends in: '12.3 %', '3.8 GiB', '1.2 MiB/s'."""
    if value is None:
        return "- no answer"
    metric = series.partition("{")[0]
    per = "/s" if metric.endswith("_per_s") else ""
    metric = metric.removesuffix("_per_s")
    if metric.endswith("_bytes"):
        return _size(value) + per
    for suffix, unit in (("_pct", " %"), ("_ms", " ms"), ("_s", " s"), ("_c", " °C"), ("_watts", " W")):
        if metric.endswith(suffix):
            return f"{value:.1f}{unit}{per}"
    return (
        f"{value:.10g}" + (f" {per}" if per else "") if value == int(value) else f"{value:.2f} {per}".rstrip()
    )


def _size(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
