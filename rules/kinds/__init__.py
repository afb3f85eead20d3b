"""How a rule judges: one file per kind, and here what every kind has in common.

A kind is a module with a docstring whose first line says when it finds something bad, an `Options` struct (what a
person writes) and a `Rule` class built from those options. No list elsewhere names it. Its `cadence` says when it is
asked: "batch" for each sample of the series it binds to, "arrival" about a host's silence, "slow" once an hour about
a long past of the series it binds to, "host" about what is known of a host, and "fleet" about many hosts, both at every
tick. A module whose name begins with "_" is no kind but what several share.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import ClassVar, Literal, Protocol

from msgspec import Struct

from rules.capacity.forecast import Forecast, Past
from rules.labels import fits
from rules.model import Host, RuleState, Series, Severity, Verdict, Window


class RuleOptions(Struct, kw_only=True, frozen=True):
    """What every rule can be told.

    where: the hosts it is about, by label; `host` is the host's name. Absent means every host
    for: how long it must be bad without a break before it counts
    severity: how grave it is, where the limit is a single number
    category: what sort of trouble it is, such as disk or database, for routes and silences
    observe: only try it: alerts are recorded and shown, and nobody is told
    summary: the words, with {{host}} {{value}} {{limit}} {{for}} {{since}} {{series}} {{severity}} {{detail}} or labels
    runbook: where to read what to do about it
    """

    name: str
    where: dict[str, str | list[str]] = {}
    enabled: bool = True
    for_s: float = 0.0
    severity: Severity | None = None
    category: str = ""
    observe: bool = False
    summary: str = ""
    runbook: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("name is empty; a rule needs a name of its own")
        if self.name in (".", ".."):
            raise ValueError(f'"{self.name}" cannot be the name of a rule: no address leads to it')
        if not 0 <= self.for_s < math.inf:
            raise ValueError(f"for must be 0 or more, not {self.for_s:g} seconds")

    @property
    def for_ms(self) -> int:
        return round(self.for_s * 1000)


class BaseRule:
    """What a rule of any kind answers alike."""

    options: RuleOptions

    @property
    def name(self) -> str:
        return self.options.name

    @property
    def enabled(self) -> bool:
        return self.options.enabled

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is one of those it is about."""
        return fits(self.options.where, labels)


class AnyRule(Protocol):
    """What every rule is asked, whatever its cadence."""

    @property
    def name(self) -> str: ...

    @property
    def enabled(self) -> bool: ...

    @property
    def options(self) -> RuleOptions: ...

    def concerns(self, labels: Mapping[str, str]) -> bool: ...


class GradedRule(AnyRule, Protocol):
    """A rule that knows severities."""

    severities: tuple[Severity, ...]
    """Those it knows, the mildest first: a reading that passes the limit of one has passed all before it."""

    def limit(self, severity: Severity) -> float | None:
        """The number that is passed when it is this grave, for messages."""
        ...

    def says(self, value: float) -> str:
        """A reading or a limit with its unit, for people."""
        ...


class SeriesRule(GradedRule, Protocol):
    """A rule about series, whenever it is asked."""

    @property
    def cadence(self) -> Literal["batch", "slow", "host"]: ...

    metric: str
    compares: str
    """How a bad reading stands to its limit, as in "96 % > 95 %"."""

    def binds(self, series: Series) -> bool:
        """Whether it looks at this series of its metric."""
        ...

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        """What is wrong, in a few words; `detail` is what a check said."""
        ...


class BatchRule(SeriesRule, Protocol):
    """A rule that looks at each sample of the series it binds to."""

    cadence: ClassVar[Literal["batch"]]

    def verdict(self, value: float) -> Verdict:
        """What it says of a reading; NaN is unknown. The same value always gets the same answer."""
        ...

    def calm(self, state: RuleState | None) -> tuple[float, float]:
        """Low and high of the values, both ends included, that change nothing about a rule standing so.

        It may be narrower than the truth, never wider; (inf, -inf) says that any value may change something.
        """
        ...


class WindowRule(BatchRule, Protocol):
    """A rule that looks at what a series did over a while: its reading is made from a window of the latest samples."""

    over_ms: int
    """How far back it looks."""

    def slide(self, window: Window | None, at: int, value: float) -> Window:
        """The window after one more sample, a number; None where there is none yet or a hole ended it.

        The same whether the samples before began just `over_ms` and a bit (WINDOW_SLACK) before or long ago.
        """
        ...

    def reading(self, window: Window) -> float | None:
        """What `verdict` is to be asked about; None while the window is too short to tell."""
        ...


class CombiningRule(BatchRule, Protocol):
    """A rule that looks at where other rules of the host stand after a batch; `series` is what its alerts are about."""

    parts: tuple[str, ...]
    """The names of the others."""
    series: str

    def count(self, firing: Collection[str], unknown: Collection[str]) -> float:
        """What `verdict` is to be asked about, given the names of the rules that fire or are unknown somewhere."""
        ...


WINDOW_SLACK = 1.1
WINDOW_MS_MAX = 2 * 3_600_000
"""No rule looks back further sample by sample: so much is read again when the past is judged again."""


class ArrivalRule(AnyRule, Protocol):
    """A rule about how long a host has not been heard."""

    cadence: ClassVar[Literal["arrival"]]
    severity: Severity

    def patience_ms(self, every_ms: int) -> int:
        """How long a host that reports every so often may be silent before it is bad."""
        ...


class SlowRule(SeriesRule, Protocol):
    """A rule that looks at a long past, now and then: reading it and thinking about it takes milliseconds."""

    cadence: ClassVar[Literal["slow"]]

    def may_be_bad(self, level: float) -> bool:
        """Whether the newest sample is such that the past is worth looking at; else all is well."""
        ...

    def foretell(self, past: Past, now: int) -> Forecast:
        """What becomes of the series. This is what takes its time."""
        ...

    def verdict_on(self, level: float, forecast: Forecast) -> Verdict:
        """What it says of the newest sample, a number, and what is foretold."""
        ...

    def value_of(self, forecast: Forecast) -> float:
        """What is held against the limits, for messages; NaN when there is nothing to say."""
        ...


class HostRule(SeriesRule, Protocol):
    """A rule about what is known of a host beside its samples; `series` is what its alerts are about."""

    cadence: ClassVar[Literal["host"]]
    series: str

    def verdict_on(self, host: Host) -> Verdict: ...


class FleetRule(GradedRule, Protocol):
    """A rule about how many hosts are bad, by what other rules say of them."""

    cadence: ClassVar[Literal["fleet"]]
    looks_at: tuple[str, ...]
    """The names of the others."""
    made_bad_by: str
    """The same for people."""

    def subject(self, labels: Mapping[str, str]) -> str | None:
        """What a host with these labels is counted to; None for one that is not."""
        ...

    def word(self, firing: Collection[str], unknown: Collection[str]) -> Literal["ok", "bad", "unknown"]:
        """What one host is, given the names of the rules that fire or are unknown about it."""
        ...

    def value(self, count: int, size: int) -> float:
        """What is held against the limits when so many are bad."""
        ...

    def verdict(self, bad: int, unknown: int, size: int) -> Verdict: ...


NEVER_CALM = (math.inf, -math.inf)
