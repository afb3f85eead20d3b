"""A series is reported without a value: what it asks for gets no answer.

By default that is the state of a check: its program is not there, its file may not be read, it hangs. What the check
looks after may be well or not, and no other rule would say so. The next answer ends it, whatever that is.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from rules import words
from rules.kinds import NEVER_CALM, BaseRule, RuleOptions
from rules.model import RuleState, Series, Severity, Verdict

CHECK_STATE = "check_state"


class Options(RuleOptions, kw_only=True, frozen=True):
    """What it can be told.

    metric: a series name, check_state by default; labels in {} narrow it, and each series that fits is judged by itself
    """

    metric: str = CHECK_STATE

    def __post_init__(self) -> None:
        super().__post_init__()
        Series.parse(self.metric)


class Rule(BaseRule):
    cadence: ClassVar[Literal["batch"]] = "batch"
    compares = ""

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self._selector = Series.parse(options.metric)
        self.metric = self._selector.metric
        self._severity: Severity = options.severity or "warning"
        self.severities: tuple[Severity, ...] = (self._severity,)

    def binds(self, series: Series) -> bool:
        return series.fits(self._selector)

    def verdict(self, value: float) -> Verdict:
        return Verdict("bad", self._severity, self._severity) if math.isnan(value) else Verdict("ok")

    def calm(self, state: RuleState | None) -> tuple[float, float]:
        return (-math.inf, math.inf) if state is None else NEVER_CALM

    def limit(self, severity: Severity) -> float | None:
        return None

    def says(self, value: float) -> str:
        return words.reading(self.metric, value)

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        what = "gives no answer" if series.metric == CHECK_STATE else "has no value"
        return f"{words.subject(series)} {what}{': ' + detail if detail else ''}"
