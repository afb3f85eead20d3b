"""What a rule makes of a series over time: its state machine, and the arrays that say when nothing can change.

    ok -> pending    the first sample past a limit
    pending -> firing    a sample past that limit, `for` after the first, with no break between
    firing -> ok    a sample past where the limit is left; between the two it stays
    any -> unknown    a sample without an answer, or the series is missing; an open alert stays open
    unknown -> ok, pending, firing    by the next answer

Only samples move it: a host that says nothing is a matter of absence. A pending rule fires when a sample says so, never
by the passing of time alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from rules.judging.plans import Key as Key
from rules.judging.plans import Plan as Plan
from rules.judging.plans import Plans as Plans
from rules.judging.plans import Rule as Rule
from rules.judging.plans import every
from rules.judging.plans import has_window as has_window
from rules.judging.plans import is_combining as is_combining
from rules.judging.plans import looked_at as looked_at
from rules.judging.plans import series_of as series_of
from rules.kinds import BatchRule, GradedRule
from rules.model import HOLDS, RANK, Change, RuleState, Severity, Verdict, Window, series_subject

GONE_MS = 15 * 60_000
"""A series missing so long, while its host is heard, will not come back: what it was about is no more."""
NEW_ALERT = -1
"""Stands in a state for an alert that is owed and has no number yet."""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """When a batch was sampled, and when the one before it: `before_at` is None for a host's first."""

    at: int
    every_ms: int
    before_at: int | None

    @property
    def after_a_hole(self) -> bool:
        return self.before_at is not None and self.at - self.before_at > HOLDS * self.every_ms


# --- one rule, one series ---------------------------------------------------------------------------------------------


def step(
    rule: BatchRule, subject: str, before: RuleState | None, value: float, sample: Sample
) -> RuleState | None:
    """The state after one sample; the very same object when nothing changed. None is ok."""
    return settled(rule, subject, before, rule.verdict(value), value, sample)


def settled(
    rule: GradedRule, subject: str, before: RuleState | None, verdict: Verdict, value: float, sample: Sample
) -> RuleState | None:
    """The state after a verdict, which was given on `value`; the very same object when nothing changed."""
    if verdict.state == "unknown":
        return _unknown(rule, subject, before, sample.at)
    clings = RANK[verdict.clings]
    held = min(_fired(before), clings)
    levels = _kept_levels(before, clings, held, sample)
    passed = RANK[verdict.severity]
    for severity in rule.severities:
        if RANK[severity] <= passed:
            levels.setdefault(severity, sample.at)
    if not levels:
        return None
    due = (s for s, since in levels.items() if RANK[s] <= passed and sample.at - since >= rule.options.for_ms)
    fired = max(held, max((RANK[severity] for severity in due), default=0))
    reached = [severity for severity in levels if not fired or RANK[severity] <= fired]
    gravest = max(reached or levels, key=lambda severity: RANK[severity])
    hushed = before.hushed if before is not None and fired <= RANK[before.hushed] else None
    after = RuleState(
        rule=rule.name,
        subject=subject,
        state="firing" if fired else "pending",
        since=min(levels.values()),
        severity=gravest,
        value=None if math.isnan(value) else value,
        alert=_alert(before, bool(fired) and hushed is None),
        levels=levels,
        hushed=hushed,
    )
    return before if before is not None and _same(before, after) else after


def _unknown(rule: GradedRule, subject: str, before: RuleState | None, at: int) -> RuleState:
    if before is None:
        return RuleState(rule.name, subject, "unknown", at)
    if before.state == "unknown":
        return before if before.gone_since is None else msgspec.structs.replace(before, gone_since=None)
    return _darkened(before, at, None)


def _darkened(before: RuleState, at: int, gone_since: int | None) -> RuleState:
    """Unknown from now on. What was bad stays noted: a short spell without answers does not start `for` anew."""
    return RuleState(
        rule=before.rule,
        subject=before.subject,
        state="unknown",
        since=at,
        severity=before.severity if _fired(before) else None,
        alert=before.alert,
        levels=before.levels,
        gone_since=gone_since,
        hushed=before.hushed,
    )


def _fired(state: RuleState | None) -> int:
    """How grave the alert is that is open or that a person resolved, 0 without one."""
    if state is None or (state.alert is None and state.hushed is None):
        return 0
    return RANK[state.severity]


def _alert(before: RuleState | None, fired: bool) -> int | None:
    if before is not None and before.alert is not None:
        return before.alert
    return NEW_ALERT if fired else None


def _kept_levels(before: RuleState | None, clings: int, held: int, sample: Sample) -> dict[Severity, int]:
    """Since when each limit is passed that has not been left; a hole in what is known breaks all but an alert."""
    if before is None:
        return {}
    known = before.levels or ({before.severity: before.since} if before.severity else {})
    dark_since = before.since if before.state == "unknown" else sample.at
    if before.gone_since is not None:
        dark_since = before.gone_since
    broken = sample.after_a_hole or sample.at - dark_since > HOLDS * sample.every_ms
    upto = held if broken else clings
    # What began after this sample began by a clock of ours that was set back since.
    return {severity: min(since, sample.at) for severity, since in known.items() if RANK[severity] <= upto}


def _same(a: RuleState, b: RuleState) -> bool:
    return (
        a.state == b.state and a.severity == b.severity and a.levels == b.levels
        and a.gone_since == b.gone_since and a.alert == b.alert
        and a.hushed == b.hushed
    )  # fmt: skip


def without_series(before: RuleState, sample: Sample) -> tuple[RuleState | None, str]:
    """The state after a batch in which the series is missing, and why, where it changed.

    Only time in which the host was heard counts: one that was away may need a moment to report everything again.
    """
    gone_since = before.gone_since
    if gone_since is None or sample.after_a_hole:
        gone_since = sample.at if sample.before_at is None or sample.after_a_hole else sample.before_at
    gone_ms, short_ms = sample.at - gone_since, HOLDS * sample.every_ms
    if gone_ms >= max(GONE_MS, short_ms):
        return None, "no longer reported"
    if gone_ms > short_ms and before.state != "unknown":
        return _darkened(before, sample.at, gone_since), "not reported"
    if before.gone_since != gone_since:
        return msgspec.structs.replace(before, gone_since=gone_since), ""
    return before, ""


# --- all rules of one host --------------------------------------------------------------------------------------------


class Track:
    """Where the rules of one host stand. `look` only looks; `write` takes what it found into memory.

    `low` and `high` hold, for each series a rule is bound to, the values that change nothing. They are the plan's own
    arrays until something is not ok, so that a healthy host costs nothing. `windows` is what rules that look back keep
    of the latest samples; `combines` says that a rule which looks at others may change though they do not.
    """

    __slots__ = ("combines", "high", "host", "low", "missing", "plan", "states", "windows")

    def __init__(
        self, plan: Plan, host: int, states: dict[Key, RuleState], windows: dict[Key, Window] | None = None
    ) -> None:
        self.plan, self.host, self.states = plan, host, states
        self.windows = windows or {}
        self._settle()

    def onto(self, plan: Plan) -> Track:
        """The same states under another plan. They are shared: only one of the two may be written to."""
        return self if plan is self.plan else Track(plan, self.host, self.states, self.windows)

    def _settle(self) -> None:
        plan = self.plan
        self.low, self.high = plan.low, plan.high
        if self.states:
            self.low, self.high = plan.low.copy(), plan.high.copy()
        for key, state in self.states.items():
            if (at := plan.index.get(key)) is not None:
                self.low[at], self.high[at] = plan.bound[at][0].calm(state)
        self.missing = [key for key in self.states if key not in plan.index and key not in plan.combining]
        self.combines = bool(plan.combining and self.states)

    def slid(self, values: npt.NDArray[np.float64], sample: Sample) -> dict[Key, Window]:
        """The windows after a batch. Those whose series has been missing for too long are gone."""
        oldest = sample.at - HOLDS * sample.every_ms
        windows = {key: window for key, window in self.windows.items() if oldest <= window.at <= sample.at}
        for at, rule, key in self.plan.windowed:
            value = float(values[self.plan.columns[at]])
            if not math.isnan(value):
                windows[key] = rule.slide(windows.get(key), sample.at, value)
        return windows

    def look(
        self,
        values: npt.NDArray[np.float64],
        sample: Sample,
        windows: Mapping[Key, Window] | None = None,
    ) -> Sequence[Change]:
        """What one batch changes; `windows` are those after it, if any rule here has one."""
        plan = self.plan
        picked = values[plan.columns]
        if windows is None:
            calm = (picked >= self.low) & (picked <= self.high)
        else:
            calm = self._read(windows, picked)
        if every(calm) and not self.missing and not self.combines:
            return ()
        changes = [self._missing(key, sample) for key in self.missing]
        for at in np.flatnonzero(~calm).tolist():
            rule, series = plan.bound[at]
            before = self.states.get((rule.name, series))
            value = float(picked[at])
            after = step(rule, series_subject(self.host, series), before, value, sample)
            told = None if math.isnan(value) else value
            changes.append(Change(self.host, rule.name, series, before, after, sample.at, told))
        changes = [change for change in changes if change.after is not change.before]
        return changes + self._combined(changes, sample) if plan.combining else changes

    def _combined(self, changes: Sequence[Change], sample: Sample) -> list[Change]:
        """What those changes make of the rules that look at other rules."""
        states = {**self.states, **{(change.rule, change.series): change.after for change in changes}}
        firing = {key[0] for key, state in states.items() if state is not None and state.state == "firing"}
        unknown = {key[0] for key, state in states.items() if state is not None and state.state == "unknown"}
        combined = []
        for key, rule in self.plan.combining.items():
            before, value = self.states.get(key), rule.count(firing, unknown)
            after = step(rule, series_subject(self.host, key[1]), before, value, sample)
            if after is not before:
                told = None if math.isnan(value) else value
                combined.append(Change(self.host, *key, before, after, sample.at, told))
        return combined

    def _read(self, windows: Mapping[Key, Window], picked: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Put the readings of windows in the place of samples; a rule that cannot tell yet stays as it is."""
        cannot_tell = []
        for at, rule, key in self.plan.windowed:
            if math.isnan(picked[at]):
                continue
            reading = rule.reading(windows[key])
            if reading is None:
                cannot_tell.append(at)
            else:
                picked[at] = reading
        calm: npt.NDArray[np.bool_] = (picked >= self.low) & (picked <= self.high)
        calm[cannot_tell] = True
        return calm

    def _missing(self, key: Key, sample: Sample) -> Change:
        before = self.states[key]
        after, why = without_series(before, sample)
        if not self.plan.applies(key):
            after, why = None, "the rule no longer applies to it"
        return Change(self.host, *key, before, after, sample.at, None, why)

    def write(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.after is None:
                self.states.pop((change.rule, change.series), None)
            else:
                self.states[change.rule, change.series] = change.after
        self._settle()


def matters(change: Change) -> bool:
    """Whether it is a change of state or severity, which is kept for ever, and not one of bookkeeping."""
    before, after = change.before, change.after
    if before is None or after is None:
        return before is not after
    return (before.state, before.severity) != (after.state, after.severity)
