"""Rules: which there are, from which file, and what each says of a host right now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from collector.api.doors import Door, missing
from collector.api.hosts import OneHost
from collector.api.paging import Page, Paged, page_of
from collector.api.views import moment_or_none, number
from collector.config import WrittenRule
from collector.config.kinds import kind_of
from collector.store import Samples
from collector.who import Who
from rules.judging.applied import Applied, limits_of, rules_of
from rules.memory.watch import Watch
from rules.model import State


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


class AppliedView(Struct, frozen=True):
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


class HostRulesView(Struct, frozen=True):
    """All rules about a host; `idle` are those that are about it but none of whose series it has now."""

    host: int
    host_name: str
    applied: list[AppliedView]
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
                answer=HostRulesView,
            ),
        ]  # fmt: skip

    async def search(self, who: Who, asked: RulesAsked, body: None) -> Page[RuleView]:
        views = [_view(written) for written in self._written()]
        wanted = [one for one in views if asked.kind in (None, one.kind) and asked.q in one.name]
        return page_of(wanted, asked, lambda one: (one.name, one.name), lambda one: one)

    async def of_host(self, who: Who, asked: OneHost, body: None) -> HostRulesView:
        watch = self._watch()
        memory = watch.hosts.get(asked.id)
        if memory is None:
            raise missing("host", asked.id)
        latest = await self._samples.latest(asked.id)
        found = rules_of(watch, memory, latest.values if latest else {})
        places = {written.rule.name: written.place for written in self._written()}
        applied = [_said(one, places) for one in found.applied]
        return HostRulesView(asked.id, memory.host.name, applied, found.idle)


def _view(written: WrittenRule) -> RuleView:
    rule, options = written.rule, written.rule.options
    return RuleView(
        name=rule.name,
        kind=kind_of(options),
        enabled=rule.enabled,
        where=options.where,
        metric=str(getattr(options, "metric", "")),
        limits=limits_of(rule),
        compares=str(getattr(rule, "compares", "")),
        for_s=options.for_s,
        summary=options.summary,
        runbook=options.runbook,
        written_in=written.place,
        takes_the_place_of=written.instead_of.place if written.instead_of else "",
    )


def _said(one: Applied, places: Mapping[str, str]) -> AppliedView:
    return AppliedView(
        rule=one.rule,
        written_in=places.get(one.rule, ""),
        series=one.series,
        limits=one.limits,
        limits_said=one.limits_said,
        for_s=one.for_s,
        value=None if one.value is None else number(one.value),
        state=one.state,
        since=moment_or_none(one.since),
        alert=one.alert,
    )
