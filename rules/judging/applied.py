"""What each rule says of a host right now, as the judge remembers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from rules.judging.engine import Rule
from rules.judging.slow import bound
from rules.kinds import AnyRule, GradedRule, SeriesRule
from rules.memory.host import Memory
from rules.memory.watch import Watch
from rules.model import RuleState, State

FOR_EVER_S = 1e12


class Applied(Struct, frozen=True):
    """What one rule says of one series of a host, or of the host itself where `series` is empty."""

    rule: str
    series: str
    limits: dict[str, float]
    limits_said: str
    for_s: float
    value: float | None
    state: State
    since: int | None
    alert: int | None


class RulesOfHost(Struct, frozen=True):
    """All rules about a host; `idle` are those that are about it but none of whose series it has now."""

    applied: list[Applied]
    idle: list[str]


def rules_of(watch: Watch, memory: Memory, values: Mapping[str, float]) -> RulesOfHost:
    """`values` are the newest of its series."""
    applied = list(_applied(watch, memory, values))
    spoken, labels = {one.rule for one in applied}, memory.host.binding_labels
    about = (name for name, rule in watch.rules.items() if rule.cadence != "fleet" and rule.concerns(labels))
    return RulesOfHost(applied, [name for name in about if name not in spoken])


def limits_of(rule: Rule) -> dict[str, float]:
    """By severity; a rule about silence has none that is a number of its series."""
    return {} if rule.cadence == "arrival" else _limits_of(rule)


def _limits_of(rule: GradedRule) -> dict[str, float]:
    found = {severity: rule.limit(severity) for severity in rule.severities}
    return {severity: limit for severity, limit in found.items() if limit is not None}


def _applied(watch: Watch, memory: Memory, values: Mapping[str, float]) -> Iterator[Applied]:
    track = memory.track
    for name, rule in watch.rules.items():
        if rule.cadence == "arrival" and rule.concerns(memory.host.binding_labels):
            patience_s = memory.patience_of(rule) / 1000
            limits: dict[str, float] = {rule.severity: patience_s} if patience_s < FOR_EVER_S else {}
            said = f"{rule.severity}: silent for {patience_s:g} s" if limits else "stopped as planned"
            yield _said(rule, "", limits, said, None, memory.absence.get(name))
    for rule, series in track.plan.bound:
        yield _about(rule, series, values.get(series), track.states.get((rule.name, series)))
    for about in memory.host_rules.values():
        yield _aside(memory, about, about.series)
    for slow, series in bound(memory):
        yield _aside(memory, slow, series)
    for (_, series), combining in track.plan.combining.items():
        state = track.states.get((combining.name, series))
        yield _about(combining, series, state.value if state else None, state)


def _aside(memory: Memory, rule: SeriesRule, series: str) -> Applied:
    state = memory.aside.get((rule.name, series))
    return _about(rule, series, state.value if state else None, state)


def _about(rule: SeriesRule, series: str, value: float | None, state: RuleState | None) -> Applied:
    limits = _limits_of(rule)
    said = ", ".join(f"{severity} {rule.compares} {rule.says(limit)}" for severity, limit in limits.items())
    return _said(rule, series, limits, said, value, state)


def _said(
    rule: AnyRule,
    series: str,
    limits: dict[str, float],
    said: str,
    value: float | None,
    state: RuleState | None,
) -> Applied:
    return Applied(
        rule=rule.name,
        series=series,
        limits=limits,
        limits_said=said,
        for_s=rule.options.for_s,
        value=value,
        state=state.state if state else "ok",
        since=state.since if state else None,
        alert=state.alert if state else None,
    )
