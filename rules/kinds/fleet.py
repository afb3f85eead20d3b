"""So many hosts are bad at the same time, by what other rules say of them.

Those rules still speak for themselves. A host that is silent, or of which a rule is unknown, may be bad or not: where
that decides, this rule is unknown too. Hosts that stopped as planned, or come and go, are not counted while they are
away. It is asked once a second, of where all hosts stand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import ClassVar, Literal

from rules import words
from rules.kinds import BaseRule, RuleOptions
from rules.kinds.composite import RULES_MAX
from rules.model import RANK, Severity, Verdict

Counts = int | dict[Severity, int]
Shares = float | dict[Severity, float]


class Options(RuleOptions, kw_only=True, frozen=True):
    """What a rule over hosts can be told.

    rules: the names of the others
    match: whether any of them makes a host bad, or all of them at once
    need: how many hosts must be bad, or how many for each severity
    need_pct: or how many of a hundred
    by: a label; hosts with the same value are counted together, such as `site` or `service`. All of `where` by default
    """

    rules: list[str]
    match: Literal["any", "all"] = "any"
    need: Counts | None = None
    need_pct: Shares | None = None
    by: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.rules) <= RULES_MAX or len(set(self.rules)) < len(self.rules):
            raise ValueError(f"rules needs 1 to {RULES_MAX} names, each of them once")
        if self.name in self.rules:
            raise ValueError("rules must not name the rule itself")
        if (self.need is None) == (self.need_pct is None):
            raise ValueError("give either need, a number of hosts, or need_pct, a share of them")
        if isinstance(self.need_pct if self.need is None else self.need, dict) and self.severity is not None:
            raise ValueError("severity goes with a single number; need names the severities itself")
        needs = list(self.needs.values())
        if not needs or needs[0] < 1 or (self.need is None and needs[-1] > 100):
            raise ValueError("need must be 1 or more, and need_pct between 1 and 100")
        if any(more <= less for less, more in pairwise(needs)):
            raise ValueError("need: what is graver must need more hosts")

    @property
    def needs(self) -> dict[Severity, float]:
        """The mildest first."""
        given = self.need_pct if self.need is None else self.need
        if isinstance(given, dict):
            return {severity: given[severity] for severity in sorted(given, key=RANK.__getitem__)}
        return {} if given is None else {self.severity or "warning": given}


class Rule(BaseRule):
    cadence: ClassVar[Literal["fleet"]] = "fleet"

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self.looks_at = tuple(options.rules)
        self._needs, self._is_share = options.needs, options.need is None
        self.severities = tuple(self._needs)
        self.made_bad_by = (", " if options.match == "any" else " and ").join(options.rules)

    def subject(self, labels: Mapping[str, str]) -> str | None:
        """What a host with these labels is counted to; None for one without the label that tells them apart."""
        by = self.options.by
        if not by:
            wanted = sorted(self.options.where.items())
            said = ",".join(
                f"{label}={value if isinstance(value, str) else '|'.join(value)}" for label, value in wanted
            )
            return f"group:{said or 'all'}"
        if (value := labels.get(by)) is None:
            return None
        return f"service:{value}" if by == "service" else f"group:{by}={value}"

    def word(self, firing: Collection[str], unknown: Collection[str]) -> Literal["ok", "bad", "unknown"]:
        """What one host is, given the names of the rules that fire or are unknown about it."""
        bad = sum(name in firing for name in self.looks_at)
        perhaps = sum(name in unknown and name not in firing for name in self.looks_at)
        wanted = 1 if self.options.match == "any" else len(self.looks_at)
        if bad >= wanted:
            return "bad"
        return "unknown" if bad + perhaps >= wanted else "ok"

    def value(self, count: int, size: int) -> float:
        """What is held against the limits."""
        return 100 * count / size if self._is_share else float(count)

    def verdict(self, bad: int, unknown: int, size: int) -> Verdict:
        if not size:
            return Verdict("ok")
        passed = self._passed(self.value(bad, size))
        if passed is None and self._passed(self.value(bad + unknown, size)) is not None:
            return Verdict("unknown")
        return Verdict("bad" if passed else "ok", passed, passed)

    def _passed(self, value: float) -> Severity | None:
        found = [severity for severity, need in self._needs.items() if value >= need]
        return found[-1] if found else None

    def limit(self, severity: Severity) -> float | None:
        return self._needs.get(severity)

    def says(self, value: float) -> str:
        return f"{words.number(value)} %" if self._is_share else words.number(value)
