"""Where a rule stands about a subject, and how it came there."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rules.model.severity import Severity

State = Literal["ok", "pending", "firing", "unknown"]

HOLDS = 2.5
"""A sample speaks for at most this many intervals; a longer hole is time of which nothing is known."""


class Verdict(Struct, frozen=True):
    """What a rule says about one reading, before any `for`.

    `severity` is the gravest limit that the reading has passed. `clings` is the gravest at which an alert that already
    stands there stays: the same, or graver while the reading is between a limit and where that limit is left.
    """

    state: Literal["ok", "bad", "unknown"]
    severity: Severity | None = None
    clings: Severity | None = None


class RuleState(Struct, frozen=True, gc=False):
    """Where one rule stands about one subject. Only what is not plainly ok is kept: no state means ok.

    `since` is when this state began, by sample time: for pending and firing the first bad sample. `alert` is the open
    alert, if any: it outlives a spell of `unknown`, because no answer is no proof that all is well. `levels` says since
    when each severity's limit is passed, since each is held for the rule's `for` on its own. `gone_since` is when the
    series was last reported, once it is missing. `hushed` is how grave it was when a person resolved its alert: until
    it has been ok once or gets graver than that, it opens no other.
    """

    rule: str
    subject: str
    state: State
    since: int
    severity: Severity | None = None
    value: float | None = None
    alert: int | None = None
    levels: dict[Severity, int] = {}
    gone_since: int | None = None
    hushed: Severity | None = None


class Change(Struct, frozen=True):
    """One step of one rule about one series of a host: None stands for plainly ok."""

    host: int
    rule: str
    series: str
    before: RuleState | None
    after: RuleState | None
    at: int
    value: float | None = None
    why: str = ""


class Window(Struct, frozen=True):
    """What a rule keeps of the latest samples of one series, up to the newest at `at`.

    Between two samples since `began_at` lies no hole; that is never longer ago than the rule looks back. Of the samples
    `points` has those that the rule cares for, time and value, the oldest first.
    """

    began_at: int
    at: int
    value: float
    points: tuple[tuple[int, float], ...]


class Transition(Struct, frozen=True):
    """A change of state, never altered once written. `late`: it was recorded after it was over or out of turn."""

    rule: str
    subject: str
    before: State
    after: State
    at: int
    recorded_at: int
    severity: Severity | None = None
    value: float | None = None
    late: bool = False
    why: str = ""
    alert: int | None = None
