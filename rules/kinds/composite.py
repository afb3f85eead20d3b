"""Several other rules are bad on the same host at the same time.

Each of them still speaks for itself. A rule that is unknown may be bad or not: where that decides, this one is unknown
too. It looks at rules about series; of those about silence, and of other composites, it can know nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import ClassVar, Literal

from rules.kinds import NEVER_CALM, BaseRule, RuleOptions
from rules.model import RuleState, Series, Severity, Verdict

RULES_MAX = 20
METRIC = "rules_firing"
"""Not a series of any agent: what a composite's alerts are about, told apart by the label `rule`."""


class Options(RuleOptions, kw_only=True, frozen=True):
    """What a composite can be told.

    rules: the names of the others
    need: how many of them must be bad; all of them by default, 1 for any
    """

    rules: list[str]
    need: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= len(self.rules) <= RULES_MAX or len(set(self.rules)) < len(self.rules):
            raise ValueError(f"rules needs 2 to {RULES_MAX} names, each of them once")
        if self.name in self.rules:
            raise ValueError("rules must not name the rule itself")
        if self.need is not None and not 1 <= self.need <= len(self.rules):
            raise ValueError(f"need must be between 1 and {len(self.rules)}, the number of rules")


class Rule(BaseRule):
    cadence: ClassVar[Literal["batch"]] = "batch"
    metric = METRIC
    compares = "of"

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self.parts = tuple(options.rules)
        self._need = options.need or len(self.parts)
        self._severity: Severity = options.severity or "warning"
        self.severities: tuple[Severity, ...] = (self._severity,)
        escaped = self.name.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        self.series = f'{METRIC}{{rule="{escaped}"}}'

    def binds(self, series: Series) -> bool:
        return series.name == self.series

    def count(self, firing: Collection[str], unknown: Collection[str]) -> float:
        """How many of its rules are bad; NaN where it cannot be told whether they are enough."""
        bad = sum(part in firing for part in self.parts)
        perhaps = sum(part in unknown and part not in firing for part in self.parts)
        return math.nan if bad < self._need <= bad + perhaps else float(bad)

    def verdict(self, value: float) -> Verdict:
        if math.isnan(value):
            return Verdict("unknown")
        if value < self._need:
            return Verdict("ok")
        return Verdict("bad", self._severity, self._severity)

    def calm(self, state: RuleState | None) -> tuple[float, float]:
        return NEVER_CALM

    def limit(self, severity: Severity) -> float | None:
        return float(self._need) if severity == self._severity else None

    def says(self, value: float) -> str:
        return f"{value:g} of {', '.join(self.parts)}"

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        if value == len(self.parts):
            return f"{' and '.join(self.parts)} at the same time"
        return f"{'?' if value is None else f'{value:g}'} of {', '.join(self.parts)} at the same time"
