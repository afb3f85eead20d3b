"""Rules that look at a long past: which hosts are due, what is to be read for them, and what follows.

Once an hour for each host, in a minute of its own, so that a fleet is spread; every ten minutes where something is bad.
Reading and foretelling take milliseconds, so they stand apart from deciding: `due`, then `asked`, which names what is
to be read, `foretell` beside whatever else there is to do, and `judge_slow` with what came of it. A host that says
nothing is a matter of absence: it is not looked at.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence

from rules.capacity.forecast import Forecast, Past
from rules.judging.engine import Key, Sample, series_of, settled, without_series
from rules.judging.record import Recorder
from rules.kinds import SlowRule
from rules.memory.host import Memory
from rules.memory.watch import Watch
from rules.model import HOLDS, Change, Outcome, RuleState, Verdict

EVERY_MS = 3_600_000
AGAIN_MS = 600_000
AT_ONCE_MAX = 60
"""Hosts at one look round; ten seconds apart that is more than ten thousand within the hour."""
SERIES_MAX = 100
"""Of one host at one look; those that stand come first."""


def due(watch: Watch, now: int) -> list[int]:
    """The hosts to be looked at now: those where something stands first, then those that wait longest."""
    found = [memory for memory in watch.hosts.values() if _is_due(memory, now)]
    found.sort(key=lambda memory: (not _stands(memory), memory.looked_at))
    return [memory.host.id for memory in found[:AT_ONCE_MAX]]


def _is_due(memory: Memory, now: int) -> bool:
    if not memory.slow_rules or not memory.layout:
        return False
    if now - memory.quiet_since > HOLDS * memory.host.every_ms:
        return False
    if 0 <= now - memory.looked_at < AGAIN_MS:
        return False
    if _stands(memory):
        return True
    own = zlib.crc32(memory.host.name.encode()) % EVERY_MS
    return not (now - own) // EVERY_MS * EVERY_MS + own <= memory.looked_at <= now


def _stands(memory: Memory) -> bool:
    return any(rule in memory.slow_rules for rule, _ in memory.aside)


def asked(memory: Memory, newest: Mapping[str, float]) -> list[tuple[SlowRule, str]]:
    """The rules that want to know the past of a series; `newest` are the values of the host's newest batch."""
    found = [
        (rule, name)
        for rule, name in bound(memory)
        if (rule.name, name) in memory.aside or rule.may_be_bad(newest.get(name, math.nan))
    ]
    found.sort(key=lambda one: (one[0].name, one[1]) not in memory.aside)
    return found[:SERIES_MAX]


def foretell(
    wanted: Sequence[tuple[SlowRule, str]], pasts: Mapping[str, Past], now: int
) -> dict[Key, Forecast]:
    """What becomes of each series whose past is there."""
    return {(rule.name, name): rule.foretell(pasts[name], now) for rule, name in wanted if name in pasts}


def judge_slow(
    watch: Watch, host: int, newest: Mapping[str, float], forecasts: Mapping[Key, Forecast], now: int
) -> Outcome:
    """What follows for one host. What is not foretold stays as it is until the next look."""
    memory = watch.hosts[host]
    outcome = Outcome(looked=host, judged_at=now)
    recorder = Recorder(watch, outcome)
    at = memory.host.last_at or now
    sample = Sample(at, EVERY_MS, memory.looked_at or None)
    looked_at = {(rule.name, name): rule for rule, name in bound(memory)}
    for key, rule in looked_at.items():
        before, level = memory.aside.get(key), newest.get(key[1], math.nan)
        subject = memory.host.series_subject(key[1])
        after = _look(rule, subject, before, level, forecasts.get(key), sample)
        if after is not before:
            recorder.change(Change(host, *key, before, after, at, None if math.isnan(level) else level))
    for key, before in memory.aside.items():
        if key not in looked_at and key[0] in memory.slow_rules:  # else the tick clears it away
            after, why = without_series(before, Sample(at, memory.host.every_ms, None))
            if after is not before:
                recorder.change(Change(host, *key, before, after, at, None, why))
    return recorder.finish()


def bound(memory: Memory) -> list[tuple[SlowRule, str]]:
    """Every series that the host has now with the rules that look at its past."""
    return [
        (rule, name)
        for rule in memory.slow_rules.values()
        for name in memory.layout
        if name.partition("{")[0] == rule.metric and rule.binds(series_of(name))
    ]


def _look(
    rule: SlowRule,
    subject: str,
    before: RuleState | None,
    level: float,
    forecast: Forecast | None,
    sample: Sample,
) -> RuleState | None:
    """The state after a look. Where nothing stands and nothing is known, nothing is said."""
    value = math.nan
    if math.isnan(level):
        verdict = Verdict("unknown")
    elif not rule.may_be_bad(level):
        verdict = Verdict("ok")
    elif forecast is None:
        return before
    else:
        verdict, value = rule.verdict_on(level, forecast), rule.value_of(forecast)
    if before is None and verdict.state == "unknown":
        return None
    return settled(rule, subject, before, verdict, value, sample)
