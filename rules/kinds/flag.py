"""Something is odd about a host itself: its clock is off, or two agents push as it.

`clock`: its clock is off by more than is corrected silently; `cloned`: two agents push as it, as those of a copied disk
do; `series`: it has more series than are kept; `churn`: its series change so often that only those are kept which stay;
`names`: some of its series have names that are none.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from rules.kinds import BaseRule, RuleOptions
from rules.model import Host, Series, Severity, Verdict

METRIC = "host_flag"
"""Not a series of any agent: what its alerts are about, told apart by the label `flag`."""
Flag = Literal["clock", "cloned", "series", "churn", "names"]
_SAYS: dict[Flag, str] = {
    "clock": "its clock is off",
    "cloned": "two agents push as this host in turn, as those of a copied disk do",
    "series": "it has more series than are kept",
    "churn": "its series change so often that only those are kept which stay",
    "names": "some of its series have names that are none, and are left out",
}


class Options(RuleOptions, kw_only=True, frozen=True):
    """What it can be told.

    flag: what is odd, as hosts are marked on their pages
    """

    flag: Flag


class Rule(BaseRule):
    cadence: ClassVar[Literal["host"]] = "host"
    metric = METRIC
    compares = "="

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self._severity: Severity = options.severity or "warning"
        self.severities: tuple[Severity, ...] = (self._severity,)
        self.series = f'{METRIC}{{flag="{options.flag}"}}'

    def binds(self, series: Series) -> bool:
        return series.name == self.series

    def verdict_on(self, host: Host) -> Verdict:
        if self.options.flag not in host.flags:
            return Verdict("ok")
        return Verdict("bad", self._severity, self._severity)

    def limit(self, severity: Severity) -> float | None:
        return 1.0 if severity == self._severity else None

    def says(self, value: float) -> str:
        return "yes" if value else "no"

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        return _SAYS[self.options.flag]
