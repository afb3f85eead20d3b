"""What kinds with limits have in common: a reading is beyond them or not, and each is left a little inside of itself.

That (hysteresis) keeps a value that trembles at a limit from ringing again and again.
"""

from __future__ import annotations

import math
import re
from itertools import accumulate
from typing import ClassVar, Literal

from rules import words
from rules.kinds import NEVER_CALM, BaseRule, RuleOptions
from rules.model import RANK, RuleState, Series, Severity, Verdict

MARGIN = 0.05
_QUANTITY = re.compile(r".*_(pct|ms|s|bytes|per_core|c)|load\d+")

Limits = float | dict[Severity, float]


class LimitOptions(RuleOptions, kw_only=True, frozen=True):
    """What a rule with limits can be told.

    metric: a series name; labels in {} narrow it, and each series that fits is judged by itself
    above: the limit, or one for each severity; bad is what is greater
    below: the limit, or one for each severity; bad is what is less
    clear: where the mildest limit is left; a little inside of it by default
    """

    metric: str
    above: Limits | None = None
    below: Limits | None = None
    clear: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        Series.parse(self.metric)
        if (self.above is None) == (self.below is None):
            raise ValueError("give either above or below; for a band write two rules")
        limits = self.limits
        if not limits or not all(map(math.isfinite, limits.values())):
            raise ValueError(f"{self.side} needs a number, or a number for some of info, warning, critical")
        if isinstance(self.above if self.below is None else self.below, dict) and self.severity is not None:
            raise ValueError(f"severity goes with a single number; {self.side} names the severities itself")
        inward = [limit * self.sign for limit in limits.values()]
        if inward != sorted(set(inward)):
            raise ValueError(f"{self.side}: a graver limit must lie further out than a milder one")
        if self.clear is not None and not self.clear * self.sign <= inward[0]:
            raise ValueError(f"clear must not lie beyond the limit it leaves, {inward[0] * self.sign:g}")

    @property
    def side(self) -> Literal["above", "below"]:
        return "below" if self.above is None else "above"

    @property
    def sign(self) -> int:
        """Times this, both sides are about what is too great."""
        return -1 if self.above is None else 1

    @property
    def limits(self) -> dict[Severity, float]:
        """The mildest first."""
        given = self.below if self.above is None else self.above
        if isinstance(given, dict):
            return {severity: given[severity] for severity in sorted(given, key=lambda s: RANK[s])}
        return {} if given is None else {self.severity or "warning": given}


class LimitRule(BaseRule):
    """Holds a reading against limits."""

    cadence: ClassVar[Literal["batch"]] = "batch"

    def __init__(self, options: LimitOptions) -> None:
        self.options: LimitOptions = options
        self._selector = Series.parse(options.metric)
        self.metric = self._selector.metric
        self._limits = options.limits
        self._sign = options.sign
        self.severities = tuple(self._limits)
        self.compares = ">" if self._sign > 0 else "<"
        self._outer = [limit * self._sign for limit in self._limits.values()]
        self._inner = self._ways_out()
        reach: list[Severity | None] = [None, *self.severities]
        self._verdicts = [
            [Verdict("bad" if passed else "ok", passed, clings) for clings in reach] for passed in reach
        ]

    @property
    def is_quantity(self) -> bool:
        """Whether readings may lie as near to a limit as they like; counts and switches do not."""
        return _QUANTITY.fullmatch(self.metric) is not None

    def binds(self, series: Series) -> bool:
        return series.fits(self._selector)

    def verdict(self, value: float) -> Verdict:
        if math.isnan(value):
            return Verdict("unknown")
        outward = value * self._sign
        passed = sum(outward > limit for limit in self._outer)
        return self._verdicts[passed][sum(outward > limit for limit in self._inner)]

    def calm(self, state: RuleState | None) -> tuple[float, float]:
        if state is None:
            return self._interval(-math.inf, self._outer[0])
        settled = state.state == "firing" and state.severity in self.severities
        if not settled or state.gone_since is not None:
            return NEVER_CALM
        if any(RANK[severity] > RANK[state.severity] for severity in state.levels):
            return NEVER_CALM
        place = self.severities.index(state.severity)
        beyond = self._outer[place + 1] if place + 1 < len(self._outer) else math.inf
        return self._interval(math.nextafter(self._inner[place], math.inf), beyond)

    def limit(self, severity: Severity) -> float | None:
        return self._limits.get(severity)

    def says(self, value: float) -> str:
        return words.reading(self.metric, value)

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        return words.breach(series, value, self.compares, limit, detail)

    def _interval(self, low: float, high: float) -> tuple[float, float]:
        return (low, high) if self._sign > 0 else (-high, -low)

    def _ways_out(self) -> list[float]:
        """Where each limit is left, outward like the limits; a graver one never later than a milder."""
        inner = [self._left_at(limit) * self._sign for limit in self._limits.values()]
        if self.options.clear is not None:
            inner[0] = self.options.clear * self._sign
        return list(accumulate(inner, max))

    def _left_at(self, limit: float) -> float:
        """Where a limit is left when no `clear` says so."""
        if not self.is_quantity:
            return limit
        margin = abs(limit) * MARGIN
        if self.metric.endswith("_pct"):  # below 99 % must be left below 100 %, or it never would be
            margin = min(margin, abs(100 - limit) / 2) if self._sign < 0 else margin
        return limit - margin * self._sign
