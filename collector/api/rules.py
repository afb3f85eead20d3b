"""Rules: which there are, from which file, and what each says of a host right now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from collector.api.doors import Door, missing
from collector.api.hosts import OneHost
from collector.api.paging import Page, Paged, page_of
from collector.api.views import moment, number
from collector.config import WrittenRule
from collector.config.kinds import kind_of
from collector.store import Samples
from collector.who import Who
from rules.judging.engine import Rule
from rules.judging.slow import bound
from rules.kinds import AnyRule, GradedRule, SeriesRule
from rules.memory.host import Memory
from rules.memory.watch import Watch
from rules.model import RuleState, State


class RulesAsked(Paged, frozen=True, kw_only=True):
    """Which rules.

    kind: only those of that kind
    q: only those whose name holds this text
    """

    kind: Annotated[str, Meta(max_length=100)] | None = None
    q: Annotated[str, Meta(max_length=200)] = ""


class RuleView(Struct, frozen=True):
    """A rule as it holds. `takes_the_place_of` is where the one of its name is written that it replaces."""

    name: str
    kind: str
    enabled: bool
    where: dict[str, str | list[str]]
    metric: str
    limits: dict[str, float]
    compares: str
    for_s: float
    summary: str
    runbook: str
    written_in: str
    takes_the_place_of: str


class Applied(Struct, frozen=True):
    """What one rule says of one series of a host, or of the host itself where `series` is empty."""

    rule: str
    written_in: str
    series: str
    limits: dict[str, float]
    limits_said: str
    for_s: float
    value: float | None
    state: State
    since: datetime | None
    alert: int | None


class RulesOfHost(Struct, frozen=True):
    """All rules about a host; `idle` are those that are about it but none of whose series it has now."""

    host: int
    host_name: str
    applied: list[Applied]
    idle: list[str]


class Rules:
    """`written` are the rules that hold, `watch` is what the judge remembers: to be read, never changed."""

    def __init__(
        self, written: Callable[[], Sequence[WrittenRule]], watch: Callable[[], Watch], samples: Samples
    ) -> None:
        self._written, self._watch, self._samples = written, watch, samples

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/rules", handler=self.search, needs="monitoring.read",
                summary="The rules that hold, with where each is written", query=RulesAsked,
                answer=Page[RuleView],
            ),
            Door(
                method="GET", path="/hosts/{id}/rules", handler=self.of_host, needs="monitoring.read",
                summary="Which rules are about a host, by which limits, and how they stand", query=OneHost,
                answer=RulesOfHost,
            ),
        ]  # fmt: skip

    async def search(self, who: Who, asked: RulesAsked, body: None) -> Page[RuleView]:
        views = [_view(written) for written in self._written()]
        wanted = [one for one in views if asked.kind in (None, one.kind) and asked.q in one.name]
        return page_of(wanted, asked, lambda one: (one.name, one.name), lambda one: one)

    async def of_host(self, who: Who, asked: OneHost, body: None) -> RulesOfHost:
        memory = self._watch().hosts.get(asked.id)
        if memory is None:
            raise missing("host", asked.id)
        latest = await self._samples.latest(asked.id)
        places = {written.rule.name: written.place for written in self._written()}
        applied = list(_applied(self._watch(), memory, latest.values if latest else {}, places))
        spoken = {one.rule for one in applied}
        labels = memory.host.binding_labels
        about = [
            name
            for name, rule in self._watch().rules.items()
            if rule.cadence != "fleet" and rule.concerns(labels)
        ]
        return RulesOfHost(
            asked.id, memory.host.name, applied, [name for name in about if name not in spoken]
        )


def _view(written: WrittenRule) -> RuleView:
    rule, options = written.rule, written.rule.options
    return RuleView(
        name=rule.name,
        kind=kind_of(options),
        enabled=rule.enabled,
        where=options.where,
        metric=str(getattr(options, "metric", "")),
        limits=_limits(rule),
        compares=str(getattr(rule, "compares", "")),
        for_s=options.for_s,
        summary=options.summary,
        runbook=options.runbook,
        written_in=written.place,
        takes_the_place_of=written.instead_of.place if written.instead_of else "",
    )


def _limits(rule: Rule) -> dict[str, float]:
    """By severity; a rule about silence has none that is a number of its series."""
    return {} if rule.cadence == "arrival" else _limits_of(rule)


def _limits_of(rule: GradedRule) -> dict[str, float]:
    found = {severity: rule.limit(severity) for severity in rule.severities}
    return {severity: limit for severity, limit in found.items() if limit is not None}


def _applied(
    watch: Watch, memory: Memory, values: Mapping[str, float], places: Mapping[str, str]
) -> Iterator[Applied]:
    host, track = memory.host, memory.track
    for name, rule in watch.rules.items():
        if rule.cadence == "arrival" and rule.concerns(host.binding_labels):
            patience_s = memory.patience_of(rule) / 1000
            limits: dict[str, float] = {rule.severity: patience_s} if patience_s < 1e12 else {}
            said = f"{rule.severity}: silent for {patience_s:g} s" if limits else "stopped as planned"
            yield _said(rule, places, "", limits, said, None, memory.absence.get(name))
    for rule, series in track.plan.bound:
        state = track.states.get((rule.name, series))
        yield _about(rule, places, series, values.get(series), state)
    for about in memory.host_rules.values():
        state = memory.aside.get((about.name, about.series))
        yield _about(about, places, about.series, state.value if state else None, state)
    for slow, series in bound(memory):
        state = memory.aside.get((slow.name, series))
        yield _about(slow, places, series, state.value if state else None, state)
    for (_, series), combining in track.plan.combining.items():
        state = track.states.get((combining.name, series))
        yield _about(combining, places, series, state.value if state else None, state)


def _about(
    rule: SeriesRule, places: Mapping[str, str], series: str, value: float | None, state: RuleState | None
) -> Applied:
    limits = _limits_of(rule)
    said = ", ".join(f"{severity} {rule.compares} {rule.says(limit)}" for severity, limit in limits.items())
    return _said(rule, places, series, limits, said, value, state)


def _said(
    rule: AnyRule,
    places: Mapping[str, str],
    series: str,
    limits: dict[str, float],
    said: str,
    value: float | None,
    state: RuleState | None,
) -> Applied:
    return Applied(
        rule=rule.name,
        written_in=places.get(rule.name, ""),
        series=series,
        limits=limits,
        limits_said=said,
        for_s=rule.options.for_s,
        value=None if value is None else number(value),
        state=state.state if state else "ok",
        since=moment(state.since) if state else None,
        alert=state.alert if state else None,
    )
