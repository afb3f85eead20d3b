"""A host says that something of it is older than it should be, by default its agent."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from rules.kinds import BaseRule, RuleOptions
from rules.model import Host, Series, Severity, Verdict

METRIC = "host_version"
"""Not a series of any agent: what its alerts are about, told apart by the label `fact`."""


class Options(RuleOptions, kw_only=True, frozen=True):
    """What it can be told.

    fact: which of the facts that a host tells of itself, such as agent_version or kernel
    at_least: the oldest version that is well; what comes behind the last number counts for nothing
    """

    fact: str = "agent_version"
    at_least: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not numbers(self.at_least):
            raise ValueError(f'at_least needs a version such as "1.4", not "{self.at_least:.100}"')
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.fact):
            raise ValueError(f'"{self.fact:.100}" is no name of a fact; write one such as agent_version')


class Rule(BaseRule):
    cadence: ClassVar[Literal["host"]] = "host"
    metric = METRIC
    compares = "="

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self._oldest = numbers(options.at_least)
        self._severity: Severity = options.severity or "info"
        self.severities: tuple[Severity, ...] = (self._severity,)
        self.series = f'{METRIC}{{fact="{options.fact}"}}'

    def binds(self, series: Series) -> bool:
        return series.name == self.series

    def verdict_on(self, host: Host) -> Verdict:
        """What does not tell its version is well: nobody knows better."""
        said = numbers(host.facts.get(self.options.fact, ""))
        if not said or said >= self._oldest:
            return Verdict("ok")
        return Verdict("bad", self._severity, self._severity)

    def limit(self, severity: Severity) -> float | None:
        return 1.0 if severity == self._severity else None

    def says(self, value: float) -> str:
        return f"older than {self.options.at_least}" if value else f"{self.options.at_least} or newer"

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        return f"{self.options.fact.replace('_', ' ')} is older than {self.options.at_least}"


def numbers(version: str) -> tuple[int, ...]:
    """1.10.2-rc1 as (1, 10, 2), and 1.10.0 as (1, 10); nothing where there is no number."""
    found = re.match(r"\D{0,20}(\d{1,9}(?:\.\d{1,9}){0,9})", version)
    return tuple(map(int, re.sub(r"(\.0+)+$", "", found[1]).split("."))) if found else ()
