"""A series will reach a limit within a while, as far as its past tells.

It is asked once an hour, and every ten minutes while something is bad, over the last thirty days and the last half day.
The best guess counts; where the past does not tell, nothing new is said and what stands becomes unknown. Each limit is
left when the time that is left is half as long again, or when the series is further from it than `only_from`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar, Literal

from rules import words
from rules.capacity.forecast import HORIZON_DAYS, Forecast, Past, forecast_with_newest
from rules.capacity.season import DAY_MS
from rules.kinds import BaseRule, RuleOptions
from rules.kinds._limits import MARGIN, Limits
from rules.model import RANK, Series, Severity, Verdict

DAY_S = DAY_MS / 1000
LEFT_AT = 1.5
"""A limit is left when there is so many times as much time."""


class Options(RuleOptions, kw_only=True, frozen=True):
    """What a forecast can be told.

    metric: a series name; labels in {} narrow it, and each series that fits is judged by itself
    reaches: the value that it is not to reach, such as 100 %
    falling: whether it comes down to that value rather than up
    within: the time within which that is bad, or one for each severity
    only_from: from which value on that is worth a word, or one for each severity; always by default
    """

    metric: str
    reaches: float
    falling: bool = False
    within_s: float | dict[Severity, float]
    only_from: Limits | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        Series.parse(self.metric)
        times = self.times
        if not times or not all(60 <= time <= HORIZON_DAYS * DAY_S for time in times.values()):
            raise ValueError(f"within needs a time from 1m to {HORIZON_DAYS:g}d, or one for each severity")
        if isinstance(self.within_s, dict) and self.severity is not None:
            raise ValueError("severity goes with a single time; within names the severities itself")
        if any(later <= sooner for later, sooner in pairwise(times.values())):
            raise ValueError("within: a graver limit must be a shorter time than a milder one")
        if isinstance(self.only_from, dict) and not self.only_from.keys() <= times.keys():
            raise ValueError(f"only_from can name the severities of within: {', '.join(times)}")
        starts = [start * self.sign for start in self.starts.values()]
        if not all(start < self.reaches * self.sign for start in starts) or starts != sorted(starts):
            raise ValueError("only_from must lie before what is reached, and no sooner for what is graver")

    @property
    def sign(self) -> int:
        """Times this, all is about what rises."""
        return -1 if self.falling else 1

    @property
    def times(self) -> dict[Severity, float]:
        """The mildest severity, with the longest time, first."""
        if isinstance(self.within_s, dict):
            return {
                severity: self.within_s[severity] for severity in sorted(self.within_s, key=RANK.__getitem__)
            }
        return {self.severity or "warning": self.within_s}

    @property
    def starts(self) -> dict[Severity, float]:
        """From where on each severity is worth a word."""
        given = self.only_from
        if isinstance(given, dict):
            return {severity: given.get(severity, -math.inf * self.sign) for severity in self.times}
        return dict.fromkeys(self.times, -math.inf * self.sign if given is None else given)


class Rule(BaseRule):
    cadence: ClassVar[Literal["slow"]] = "slow"
    compares = "<"

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self._selector = Series.parse(options.metric)
        self.metric = self._selector.metric
        self._times, self._sign = options.times, options.sign
        self.severities = tuple(self._times)
        self._starts = {severity: start * self._sign for severity, start in options.starts.items()}
        self._ends = {severity: start - abs(start) * MARGIN for severity, start in self._starts.items()}

    def binds(self, series: Series) -> bool:
        return series.fits(self._selector)

    def may_be_bad(self, level: float) -> bool:
        return level * self._sign > min(self._ends.values())

    def foretell(self, past: Past, now: int) -> Forecast:
        return forecast_with_newest(past, self.options.reaches, now, below=self.options.falling)

    def verdict_on(self, level: float, forecast: Forecast) -> Verdict:
        if not self.may_be_bad(level):
            return Verdict("ok")
        left_s = self.value_of(forecast)
        if math.isnan(left_s):
            return Verdict("unknown")
        passed = self._gravest(level, left_s, 1, self._starts)
        clings = self._gravest(level, left_s, LEFT_AT, self._ends)
        return Verdict("bad" if passed else "ok", passed, clings)

    def _gravest(
        self, level: float, left_s: float, times: float, starts: dict[Severity, float]
    ) -> Severity | None:
        found = [
            severity
            for severity, within_s in self._times.items()
            if left_s <= within_s * times and level * self._sign > starts[severity]
        ]
        return found[-1] if found else None

    def value_of(self, forecast: Forecast) -> float:
        """How many seconds are left; for ever, if that is longer than is asked about."""
        if forecast.outlook == "fills" and forecast.days is not None:
            return forecast.days * DAY_S
        asked_s = max(self._times.values())
        far_enough = forecast.outlook == "steady" and forecast.horizon_days * DAY_S >= asked_s
        return math.inf if far_enough else math.nan

    def limit(self, severity: Severity) -> float | None:
        return self._times.get(severity)

    def says(self, value: float) -> str:
        return words.duration(value * 1000) if math.isfinite(value) else "not in sight"

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        said, there = words.what(series), words.reading(self.metric, self.options.reaches)
        if not value:
            return f"{said} is at {there}" if value == 0 else f"{said} may come to {there} soon"
        return f"{said} will be at {there} in about {self.says(value)}"
