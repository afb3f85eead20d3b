"""The nouns that rules are made of and that the store keeps. Plain values: no I/O, no clock.

Times are milliseconds UTC. An id of an alert or incident is a number counted up by whoever judges; a host's id is the
number it was given when it was enrolled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from rules.seen import Seen
from rules.severity import RANK as RANK
from rules.severity import Severity as Severity
from rules.severity import worst as worst
from rules.told import Line as Line
from rules.told import Reason as Reason
from rules.told import Told as Told
from rules.told import Why as Why
from rules.told import Withheld as Withheld

State = Literal["ok", "pending", "firing", "unknown"]
CheckState = Literal["ok", "warn", "bad", "unknown"]

REOPEN_MS = 10 * 60_000
"""An incident that comes back this soon after its end is the same problem again."""

HOLDS = 2.5
"""A sample speaks for at most this many intervals; a longer hole is time of which nothing is known."""

SERVICE = "service:"
"""What the name of a host begins with that is none, but the source of the metrics that a service posts of itself."""

Bye = Literal["restart", "shutdown", "uninstall"]
BYES: tuple[Bye, ...] = ("restart", "shutdown", "uninstall")

# --- what a rule looks at ---------------------------------------------------------------------------------------------


class Host(Struct, gc=False):
    """A host as it is known: `labels` already merged, those set at enrolment or by an admin over the agent's own.

    `arrived_at` is when it was last heard, by the collector's clock; `last_at` the newest sample's time, corrected for
    skew. Both are None for a host that has never been heard. `flags` say what is odd about it, by a short code each:
    `clock` (its clock is off by `skew_ms`), `series` (more series than are kept), `churn` (its series change so often
    that only those are kept which stay), `names` (some of its series have names that are none, and are left out),
    `cloned` (two agents push as it), and one of BYES when its last word was that it stops. `own_labels` names those of
    `labels` that are the agent's own word; all others were set at enrolment or by an admin. `facts_at` is the sample
    time at which it last said its facts or labels.
    """

    id: int
    name: str
    labels: dict[str, str] = {}
    facts: dict[str, str] = {}
    enrolled_at: int = 0
    arrived_at: int | None = None
    last_at: int | None = None
    every_ms: int = 10_000
    skew_ms: int = 0
    flags: tuple[str, ...] = ()
    own_labels: tuple[str, ...] = ()
    facts_at: int = 0

    @property
    def subject(self) -> str:
        return f"host:{self.id}"

    @property
    def is_service(self) -> bool:
        """Whether it stands for a service that posts metrics: when there is work, so its silence says nothing."""
        return self.name.startswith(SERVICE)

    @property
    def bye(self) -> Bye | None:
        """How it said that it stops, if that was its last word; nobody is to wonder that it is silent then."""
        return next((bye for bye in BYES if bye in self.flags), None)

    @property
    def has_stopped(self) -> bool:
        """Whether it said that it stops until further notice: its silence is as it should be."""
        return self.bye in ("shutdown", "uninstall")

    def series_subject(self, series: str) -> str:
        return series_subject(self.id, series)


def series_subject(host: int, series: str) -> str:
    return f"host:{host}/series:{series}"


_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"'
_SERIES = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)?\}})?")
_PAIR = re.compile(_LABEL)
_ESCAPED = re.compile(r"\\(.)")


class Series(Struct, frozen=True):
    """A series name taken apart: `disk_used_pct{mount="/"}` is the metric disk_used_pct with one label."""

    name: str
    metric: str
    labels: dict[str, str] = {}

    @classmethod
    def parse(cls, name: str) -> Series:
        """ValueError when it is not written as a series is; the order of labels does not matter here."""
        whole = _SERIES.fullmatch(name)
        if whole is None:
            raise ValueError(
                f'{name[:80]!r} is not a series; write cpu_used_pct or disk_used_pct{{mount="/"}}'
            )
        labels = {
            key: _ESCAPED.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], value)
            for key, value in _PAIR.findall(whole[2] or "")
        }
        return cls(name, whole[1], labels)


class CheckAnswer(Struct, frozen=True, gc=False):
    """How a check of a host stands since `at`. Kept whenever its state or its words change."""

    id: str
    kind: str
    state: CheckState
    at: int
    ms: float | None = None
    detail: str = ""


class CheckSaid(Protocol):
    """What a check said in one tick, as whoever took it in has it."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> CheckState: ...
    @property
    def ms(self) -> float | None: ...
    @property
    def detail(self) -> str: ...


class Arrival(Struct, gc=False):
    """One batch at the collector's door: validated, its time corrected, its series in one order.

    `values` has one float64 per name in `layout`, NaN where the check gave no answer. `facts` and `labels` are None
    when the batch carried none. Without series and checks it is a word of the agent, such as its bye, and no sample.
    """

    host: int
    spool: str
    seq: int
    floor: int
    at: int
    arrived_at: int
    every_ms: int
    skew_ms: int
    layout: tuple[str, ...]
    values: npt.NDArray[np.float64]
    checks: Sequence[CheckSaid] = ()
    facts: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    flags: tuple[str, ...] = ()


class Verdict(Struct, frozen=True):
    """What a rule says about one reading, before any `for`.

    `severity` is the gravest limit that the reading has passed. `clings` is the gravest at which an alert that already
    stands there stays: the same, or graver while the reading is between a limit and where that limit is left.
    """

    state: Literal["ok", "bad", "unknown"]
    severity: Severity | None = None
    clings: Severity | None = None


# --- what judging leaves behind ---------------------------------------------------------------------------------------


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


class Alert(Struct, frozen=True):
    """One rule being bad about one subject, from firing to resolved. `limit` is the limit it crossed, if it has one."""

    id: int
    rule: str
    subject: str
    host: int
    severity: Severity
    since: int
    fired_at: int
    summary: str
    incident: int
    value: float | None = None
    limit: float | None = None
    runbook: str = ""
    resolved_at: int | None = None


class Incident(Struct, frozen=True):
    """What a person would call one problem. `round` counts how often it was opened (it can come back within minutes).

    `told` has each channel that was told of it and not of its end yet; `withheld` is what is not told, and why. `came`
    is when it was opened of late, and `noted` how grave it was when somebody acknowledged it or put it off.
    `opened_by` names who reported it, in `text`, and is empty for one that alerts opened; `resolved_by` who ended it
    before it was over by itself. `edited` names what a person has set, of `title` and `severity`, and the judge leaves
    alone until the incident is over. `services` are the names of those touched.
    """

    id: int
    key: str
    title: str
    severity: Severity
    opened_at: int
    round: int = 1
    told: dict[str, Told] = {}
    resolved_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    assignee: str = ""
    snoozed_until: int | None = None
    opened_by: str = ""
    resolved_by: str = ""
    text: str = ""
    services: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    postmortem: str = ""
    noted: Severity | None = None
    came: tuple[int, ...] = ()
    withheld: tuple[Withheld, ...] = ()


WATCHKEEPER = "watchkeeper"
"""Who did it, where no person or program did."""

RemarkKind = Literal[
    "opened", "acknowledged", "unacknowledged", "resolved", "note", "published", "assigned", "snoozed", "edited"
]  # fmt: skip


class Remark(Struct, frozen=True):
    """What a person or a program did to an incident: a line of its timeline, never altered once written.

    `by` is a person's or a token's name, or WATCHKEEPER.
    """

    incident: int
    at: int
    by: str
    kind: RemarkKind
    text: str = ""


class Notice(Struct, frozen=True):
    """One message about an incident to one channel: what is to be said, and why. Delivery is kept beside it.

    `id` stays the same on every try, so a receiver can tell a repeat. `started_at` is when the problem began, by sample
    time. `alerts` are those of the incident, the gravest first; at most a hundred. One that is about several problems
    (a digest) has a line `about` each of them, and is filed under the first.
    """

    id: str
    incident: int
    channel: str
    reason: Reason
    severity: Severity
    host: str
    title: str
    text: str
    created_at: int
    started_at: int
    resolved_at: int | None = None
    alerts: list[Alert] = []
    about: list[Line] = []


class Outcome(Struct, gc=False):
    """All that follows from one batch or one tick. It is committed whole or not at all.

    `arrival` is None for a tick, for a word without samples and for a batch that was taken before (`repeat`); it is
    `unjudged` when a rule failed at it. States
    with state "ok" and no alert are to be forgotten by the store. Alerts and incidents are whole new versions of their
    rows. What comes after `remarks` is for the judge's own memory and is not stored: `looks` is when to look again at
    incidents though nothing happens to them, None for never; `repaired` is a host that was judged again, and `replayed`
    every step that led to where it stands now, None if that could not be done; `windows` are all that its rules keep of
    its latest samples, by rule and series, None for a host that has no such rule; `looked` is a host whose long past
    was looked at.
    """

    arrival: Arrival | None = None
    repeat: bool = False
    late: bool = False
    unjudged: bool = False
    repair_from: int | None = None
    host: Host | None = None
    seen: Seen | None = None
    checks: list[CheckAnswer] = []
    states: list[RuleState] = []
    transitions: list[Transition] = []
    alerts: list[Alert] = []
    incidents: list[Incident] = []
    notices: list[Notice] = []
    remarks: list[Remark] = []
    judged_at: int = 0
    looks: dict[int, int | None] = {}
    changes: list[Change] = []
    repaired: int | None = None
    replayed: list[Change] | None = None
    windows: dict[tuple[str, str], Window] | None = None
    looked: int | None = None

    @property
    def empty(self) -> bool:
        return (
            self.arrival is None
            and self.seen is None
            and not (self.states or self.transitions or self.alerts or self.incidents or self.notices)
            and not self.remarks
        )


class ChannelView(Struct, frozen=True):
    """What deciding needs to know of a channel: from which severity on it hears of problems, and how many messages it
    may have in an hour; None for any number."""

    name: str
    from_severity: Severity = "warning"
    per_hour: int | None = None
