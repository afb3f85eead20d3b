"""A host has not been heard for several of its intervals.

It is judged by when batches arrive, not by when they were sampled, and only for time in which the collector listened.
A host that was never heard has not joined yet and is not missed. Any batch ends it at once.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from rules.kinds import BaseRule, RuleOptions
from rules.model import Severity

PATIENCE_MS_MIN = 3_000
"""However short the interval: a push may be tried a second time before anybody calls it silence."""


class Options(RuleOptions, kw_only=True, frozen=True):
    """What an absence rule can be told; `for` is added to the intervals.

    intervals: how many of the host's own intervals it may be silent
    """

    intervals: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.intervals <= 10_000:
            raise ValueError(f"intervals must be between 1 and 10000, not {self.intervals:g}")


class Rule(BaseRule):
    cadence: ClassVar[Literal["arrival"]] = "arrival"

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self.severity: Severity = options.severity or "critical"

    def patience_ms(self, every_ms: int) -> int:
        return max(round(self.options.intervals * every_ms), PATIENCE_MS_MIN) + self.options.for_ms
