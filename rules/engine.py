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
from typing import TypeGuard

import msgspec
import numpy as np
import numpy.typing as npt

from rules.kinds import WINDOW_SLACK, ArrivalRule, BatchRule, CombiningRule, SeriesRule, SlowRule, WindowRule
from rules.model import HOLDS, RANK, Change, RuleState, Series, Severity, Verdict, Window, series_subject

Rule = BatchRule | WindowRule | CombiningRule | SlowRule | ArrivalRule
Key = tuple[str, str]
"""The name of a rule and of a series."""

GONE_MS = 15 * 60_000
"""A series missing so long, while its host is heard, will not come back: what it was about is no more."""
NEW_ALERT = -1
"""Stands in a state for an alert that is owed and has no number yet."""
PLANS_MAX, PLAN_NAMES_MAX = 2_000, 200_000
"""How many plans are remembered, and names of series in them: a host may have others in every batch."""


class Sample(msgspec.Struct, frozen=True):
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
    rule: SeriesRule, subject: str, before: RuleState | None, verdict: Verdict, value: float, sample: Sample
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
        value=value,
        alert=_alert(before, bool(fired) and hushed is None),
        levels=levels,
        hushed=hushed,
    )
    return before if before is not None and _same(before, after) else after


def _unknown(rule: SeriesRule, subject: str, before: RuleState | None, at: int) -> RuleState:
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


# --- which rules look at which series of a host -----------------------------------------------------------------------


class Plan:
    """The rules that apply to one layout of series on hosts with like labels. Shared between hosts, never changed."""

    def __init__(self, layout: Sequence[str], rules: Sequence[BatchRule]) -> None:
        self.rules = {rule.name: rule for rule in rules}
        by_metric: dict[str, list[BatchRule]] = {}
        for rule in rules:
            by_metric.setdefault(rule.metric, []).append(rule)
        self.bound: list[tuple[BatchRule, str]] = []
        columns: list[int] = []
        for column, name in enumerate(layout):
            for rule in by_metric.get(name.partition("{")[0], ()):
                if rule.binds(series_of(name)):
                    self.bound.append((rule, name))
                    columns.append(column)
        self.index: dict[Key, int] = {(rule.name, name): at for at, (rule, name) in enumerate(self.bound)}
        self.columns = np.array(columns, dtype=np.intp)
        self.windowed = [
            (at, rule, (rule.name, name)) for at, (rule, name) in enumerate(self.bound) if has_window(rule)
        ]
        self.looks_back_ms = max(
            (round(rule.over_ms * WINDOW_SLACK) for rule in rules if has_window(rule)), default=0
        )
        self.combining = {(rule.name, rule.series): rule for rule in rules if is_combining(rule)}
        calm = [rule.calm(None) for rule, _ in self.bound]
        self.low = np.array([low for low, _ in calm], dtype=np.float64)
        self.high = np.array([high for _, high in calm], dtype=np.float64)

    def applies(self, key: Key) -> bool:
        """Whether that rule would look at that series, if it were there."""
        rule = self.rules.get(key[0])
        series = series_of(key[1])
        return rule is not None and rule.metric == series.metric and rule.binds(series)

    def all_calm(self, values: npt.NDArray[np.float64]) -> bool:
        """Whether a host where all is ok would stay so with these values."""
        return _within(values[self.columns], self.low, self.high)


def has_window(rule: Rule) -> TypeGuard[WindowRule]:
    return hasattr(rule, "over_ms")


def is_combining(rule: Rule) -> TypeGuard[CombiningRule]:
    return hasattr(rule, "parts")


def series_of(name: str) -> Series:
    try:
        return Series.parse(name)
    except (
        ValueError
    ):  # the door refuses such names; whatever came in by another way is still judged by its name
        return Series(name, name.partition("{")[0])


def _within(
    values: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> bool:
    return _all((values >= low) & (values <= high))


def _all(answers: npt.NDArray[np.bool_]) -> bool:
    """As `answers.all()`, which takes four times as long: it makes a detour through Python."""
    return int(np.count_nonzero(answers)) == len(answers)


class Plans:
    """Finds the plan of a host and remembers it: a memo of a pure function, so it changes no answer."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._batch = [rule for rule in rules if rule.cadence == "batch"]
        self._arrival = [rule for rule in rules if rule.cadence == "arrival"]
        self._slow = [rule for rule in rules if rule.cadence == "slow"]
        self._asked = sorted({label for rule in rules for label in rule.options.where})
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._names = 0
        self._absence: dict[tuple[object, ...], list[ArrivalRule]] = {}

    def plan(self, layout: tuple[str, ...], labels: Mapping[str, str]) -> Plan:
        key = (layout, *map(labels.get, self._asked))
        if (found := self._plans.get(key)) is None:
            if len(self._plans) >= PLANS_MAX or self._names > PLAN_NAMES_MAX:
                self._plans.clear()
                self._names = 0
            found = self._plans[key] = Plan(layout, [rule for rule in self._batch if rule.concerns(labels)])
            self._names += len(layout)
        return found

    def absence(self, labels: Mapping[str, str]) -> list[ArrivalRule]:
        """The rules about this host's silence."""
        key = tuple(map(labels.get, self._asked))
        if (found := self._absence.get(key)) is None:
            if len(self._absence) >= PLANS_MAX:
                self._absence.clear()
            found = self._absence[key] = [rule for rule in self._arrival if rule.concerns(labels)]
        return found

    def slow(self, labels: Mapping[str, str]) -> dict[str, SlowRule]:
        """The rules about a long past of such a host's series, by name."""
        return {rule.name: rule for rule in self._slow if rule.concerns(labels)}


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
        if _all(calm) and not self.missing and not self.combines:
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
