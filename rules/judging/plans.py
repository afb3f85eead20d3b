"""Which rules look at which series of a host, with the arrays that say when nothing can change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from rules.fleet.shared import METRIC, SharedCheck
from rules.kinds import (
    WINDOW_SLACK,
    ArrivalRule,
    BatchRule,
    CombiningRule,
    FleetRule,
    HostRule,
    SlowRule,
    WindowRule,
)
from rules.model import Series

Rule = BatchRule | WindowRule | CombiningRule | SlowRule | HostRule | FleetRule | ArrivalRule
Key = tuple[str, str]
"""The name of a rule and of a series."""

PLANS_MAX, PLAN_NAMES_MAX = 2_000, 200_000
"""How many plans are remembered, and names of series in them: a host may have others in every batch."""


class Plan:
    """The rules that apply to one layout of series on hosts with like labels. Shared between hosts, never changed.

    `shared` are the checks that such hosts run together with others, by id, and what their state is called here: no
    rule looks at that alone.
    """

    def __init__(
        self, layout: Sequence[str], rules: Sequence[BatchRule], shared: Collection[str] = ()
    ) -> None:
        self.rules = {rule.name: rule for rule in rules}
        self._apart = frozenset(shared)
        self.shared: dict[str, str] = {}
        for name in layout if self._apart else ():
            if (check := self._shared_by(series_of(name))) is not None:
                self.shared[check] = name
        by_metric: dict[str, list[BatchRule]] = {}
        for rule in rules:
            by_metric.setdefault(rule.metric, []).append(rule)
        self.bound: list[tuple[BatchRule, str]] = []
        apart = frozenset(self.shared.values())
        columns: list[int] = []
        for column, name in enumerate(layout):
            if name in apart:
                continue
            for rule in by_metric.get(name.partition("{")[0], ()):
                if rule.binds(series_of(name)):
                    self.bound.append((rule, name))
                    columns.append(column)
        self.index: dict[Key, int] = {(rule.name, name): at for at, (rule, name) in enumerate(self.bound)}
        self.columns = np.array(columns, dtype=np.intp)
        self.windowed = [
            (at, rule, (rule.name, name)) for at, (rule, name) in enumerate(self.bound) if has_window(rule)
        ]
        self.looks_back_ms = max(
            (round(rule.over_ms * WINDOW_SLACK) for rule in rules if has_window(rule)), default=0
        )
        self.combining = {(rule.name, rule.series): rule for rule in rules if is_combining(rule)}
        calm = [rule.calm(None) for rule, _ in self.bound]
        self.low = np.array([low for low, _ in calm], dtype=np.float64)
        self.high = np.array([high for _, high in calm], dtype=np.float64)

    def applies(self, key: Key) -> bool:
        """Whether that rule would look at that series, if it were there."""
        rule = self.rules.get(key[0])
        series = series_of(key[1])
        binds = rule is not None and rule.metric == series.metric and rule.binds(series)
        return binds and self._shared_by(series) is None

    def _shared_by(self, series: Series) -> str | None:
        """The check whose state it is, if that is one of those that are judged over all its hosts."""
        if not self._apart or series.metric != METRIC:
            return None
        check = series.labels.get("check", "")
        return check if check in self._apart else None

    def all_calm(self, values: npt.NDArray[np.float64]) -> bool:
        """Whether a host where all is ok would stay so with these values."""
        return within(values[self.columns], self.low, self.high)


def has_window(rule: Rule) -> TypeGuard[WindowRule]:
    return hasattr(rule, "over_ms")


def is_combining(rule: Rule) -> TypeGuard[CombiningRule]:
    return hasattr(rule, "parts")


def looked_at(rule: Rule) -> tuple[str, ...]:
    """The names of the rules that it looks at."""
    if rule.cadence == "fleet":
        return rule.looks_at
    return rule.parts if is_combining(rule) else ()


def series_of(name: str) -> Series:
    try:
        return Series.parse(name)
    except (
        ValueError
    ):  # the door refuses such names; whatever came in by another way is still judged by its name
        return Series(name, name.partition("{")[0])


class Plans:
    """Finds the plan of a host and remembers it: a memo of a pure function, so it changes no answer."""

    def __init__(self, rules: Sequence[Rule], shared: Sequence[SharedCheck] = ()) -> None:
        self._shared = tuple(shared)
        self._batch = [rule for rule in rules if rule.cadence == "batch"]
        self._arrival = [rule for rule in rules if rule.cadence == "arrival"]
        self._slow = [rule for rule in rules if rule.cadence == "slow"]
        self._host = [rule for rule in rules if rule.cadence == "host"]
        self.fleet = {rule.name: rule for rule in rules if rule.cadence == "fleet"}
        self._asked = sorted(
            {label for rule in rules for label in rule.options.where}
            | {label for check in shared for label in check.where}
        )
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._names = 0
        self._absence: dict[tuple[object, ...], list[ArrivalRule]] = {}

    def plan(self, layout: tuple[str, ...], labels: Mapping[str, str]) -> Plan:
        key = (layout, *map(labels.get, self._asked))
        if (found := self._plans.get(key)) is None:
            if len(self._plans) >= PLANS_MAX or self._names > PLAN_NAMES_MAX:
                self._plans.clear()
                self._names = 0
            batch = [rule for rule in self._batch if rule.concerns(labels)]
            found = self._plans[key] = Plan(layout, batch, self.shared(labels))
            self._names += len(layout)
        return found

    def absence(self, labels: Mapping[str, str]) -> list[ArrivalRule]:
        """The rules about this host's silence."""
        key = tuple(map(labels.get, self._asked))
        if (found := self._absence.get(key)) is None:
            if len(self._absence) >= PLANS_MAX:
                self._absence.clear()
            found = self._absence[key] = [rule for rule in self._arrival if rule.concerns(labels)]
        return found

    def slow(self, labels: Mapping[str, str]) -> dict[str, SlowRule]:
        """The rules about a long past of such a host's series, by name."""
        return {rule.name: rule for rule in self._slow if rule.concerns(labels)}

    def about_host(self, labels: Mapping[str, str]) -> dict[str, HostRule]:
        """The rules about what is known of such a host, by name."""
        return {rule.name: rule for rule in self._host if rule.concerns(labels)}

    def groups(self, labels: Mapping[str, str]) -> tuple[tuple[FleetRule, str], ...]:
        """The rules that count such a host, each with what it is counted to."""
        found = ((rule, rule.subject(labels)) for rule in self.fleet.values() if rule.concerns(labels))
        return tuple((rule, subject) for rule, subject in found if subject is not None)

    def shared(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The checks, by id, that such a host runs together with others."""
        return tuple(check.id for check in self._shared if check.concerns(labels))


def within(
    values: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> bool:
    return every((values >= low) & (values <= high))


def every(answers: npt.NDArray[np.bool_]) -> bool:
    """As `answers.all()`, which takes six times as long: it makes a detour through Python."""
    return b"\0" not in answers.tobytes()
