"""Writes what changed into an outcome: states, transitions and alerts, and in the end incidents and notices."""

from __future__ import annotations

from msgspec.structs import replace

from rules import words
from rules.fleet import neighbours
from rules.fleet.presence import Group
from rules.judging.engine import matters, series_of
from rules.kinds import ArrivalRule, SeriesRule
from rules.memory.host import Memory
from rules.memory.watch import Watch
from rules.model import Alert, Change, Outcome, Remark, RuleState, Transition, series_subject
from rules.telling.incidents import Draft

UNNUMBERED = 0


class Recorder:
    """Fills one outcome. `late` marks its transitions as recorded out of turn."""

    def __init__(self, watch: Watch, outcome: Outcome, *, late: bool = False) -> None:
        self._watch, self._outcome, self._late = watch, outcome, late
        outcome.states = self._states = list[RuleState]()
        outcome.transitions = self._transitions = list[Transition]()
        outcome.changes = self._changes = list[Change]()
        self.draft = Draft(watch, outcome.judged_at, outcome.host)

    def finish(self, *remarks: Remark) -> Outcome:
        self._outcome.remarks = remarks
        self._outcome.notices = self.draft.settle()
        self._outcome.alerts = list(self.draft.alerts.values())
        self._outcome.incidents = list(self.draft.incidents.values())
        self._outcome.looks = self.draft.looks
        return self._outcome

    # --- series ---

    def change(self, change: Change, summary: str | None = None) -> None:
        """One step of a rule about a series, with all that follows from it; about many hosts, `summary` says what."""
        change = self.state(change, change.at, summary)
        if matters(change):
            self.transition(change)

    def state(self, change: Change, fired_at: int, summary: str | None = None) -> Change:
        """The new state and its alert; returns the step with the alert's number in it."""
        after = self._with_alert(change, fired_at, summary)
        if after is not change.after:
            change = replace(change, after=after)
        self._changes.append(change)
        stands = after or change.before
        subject = stands.subject if stands else series_subject(change.host, change.series)
        self._states.append(after or RuleState(change.rule, subject, "ok", change.at))
        return change

    def hush(self, change: Change) -> None:
        """A person resolved its alert: what the rule says stands, and it opens no other for now."""
        assert change.after is not None
        if change.series:
            self._changes.append(change)
        self._states.append(change.after)
        self.transition(replace(change, at=self._outcome.judged_at))

    def transition(self, change: Change) -> None:
        """The step as it is kept for ever."""
        before, after = change.before, change.after
        stands = after or before
        assert stands is not None
        alert = stands.alert if stands.alert is not None else before.alert if before else None
        self._transitions.append(
            Transition(
                rule=change.rule,
                subject=stands.subject,
                before=before.state if before else "ok",
                after=after.state if after else "ok",
                at=change.at,
                recorded_at=self._outcome.judged_at,
                severity=after.severity if after else None,
                value=change.value,
                late=self._late,
                why=change.why,
                alert=alert if alert is None or alert > UNNUMBERED else None,
            )
        )

    def _with_alert(self, change: Change, fired_at: int, summary: str | None) -> RuleState | None:
        """Open, regrade, redate or close the alert that goes with a step; the new state with the alert's number."""
        after, number = change.after, change.before.alert if change.before else None
        if after is None or after.alert is None:
            if number is not None:
                self.draft.close(number, change.at, change.why)
            return after
        began = min(after.levels.values(), default=after.since)
        if number is None:
            alert = self._alert(change, after, began, fired_at, summary)
            return replace(after, alert=self.draft.add(alert))
        alert = self.draft.alert(number)
        if after.state == "firing" and after.severity != alert.severity:
            new = self._alert(change, after, alert.since, change.at, summary)
            alert = replace(
                alert, severity=new.severity, value=new.value, limit=new.limit, summary=new.summary
            )
            self.draft.put(alert)
        if began < alert.since:
            self.draft.put(replace(alert, since=began))
        return after if after.alert == number else replace(after, alert=number)

    def _alert(
        self, change: Change, state: RuleState, began: int, fired_at: int, summary: str | None
    ) -> Alert:
        rule = self._watch.rules[change.rule]
        assert rule.cadence != "arrival"
        assert state.severity is not None
        if summary is None:
            assert rule.cadence != "fleet"
            summary = self._series_summary(change, rule, state, fired_at - began)
        return Alert(
            id=UNNUMBERED,
            rule=rule.name,
            subject=state.subject,
            host=change.host,
            severity=state.severity,
            since=began,
            fired_at=fired_at,
            summary=summary,
            incident=UNNUMBERED,
            value=state.value,
            limit=rule.limit(state.severity),
            runbook=rule.options.runbook,
        )

    def _series_summary(self, change: Change, rule: SeriesRule, state: RuleState, lasted_ms: int) -> str:
        memory, series, severity = self._watch.hosts[change.host], series_of(change.series), state.severity
        limit = rule.limit(severity) if severity else None
        detail = self._detail(memory, series.labels.get("check"))
        if not rule.options.summary:
            return rule.breach(series, state.value, limit, detail)
        given = {
            "value": _plain(rule, state.value),
            "limit": _plain(rule, limit),
            "for": words.duration(lasted_ms),
            "since": words.clock(state.since, self._outcome.judged_at, self._watch.policy.zone),
            "series": change.series,
            "severity": severity or "",
            "detail": detail,
        }
        host = self._outcome.host or memory.host  # a batch may bring labels of its own
        return words.fill(rule.options.summary, host, given, series)

    def _detail(self, memory: Memory, check: str | None) -> str:
        """What the check itself said, if the series is a check's."""
        if check is None:
            return ""
        newest = next(
            (answer for answer in self._outcome.checks if answer.id == check), memory.checks.get(check)
        )
        return newest.detail if newest else ""

    # --- silence ---

    def silent(self, memory: Memory, rule: ArrivalRule, since: int) -> None:
        """A host is not heard any more."""
        host, now = memory.host, self._outcome.judged_at
        silence_s = (now - since) / 1000
        alert = Alert(
            id=UNNUMBERED,
            rule=rule.name,
            subject=host.subject,
            host=host.id,
            severity=rule.severity,
            since=since,
            fired_at=now,
            summary="; ".join(
                filter(
                    None, (self._silent_summary(memory, rule, since), neighbours.said(self._watch, memory))
                )
            ),
            incident=UNNUMBERED,
            value=silence_s,
            limit=memory.patience_of(rule) / 1000,
            runbook=rule.options.runbook,
        )
        number = self.draft.add(alert)
        levels = {rule.severity: since}
        after = RuleState(rule.name, host.subject, "firing", since, rule.severity, silence_s, number, levels)
        self._silence(None, after, now, "")

    def heard(self, state: RuleState, at: int, why: str = "") -> None:
        """A host that was silent is heard again, or there is another reason `why` nobody minds any more."""
        if state.alert is not None:
            self.draft.close(state.alert, at, why)
        self._silence(state, None, at, why or "heard again")

    def silent_together(self, group: Group) -> None:
        """Many hosts fell silent at once."""
        alert = group.alert(self._outcome.judged_at)
        number = self.draft.add(alert)
        after = RuleState(
            alert.rule, alert.subject, "firing", alert.since, alert.severity, alert.value, number,
            {alert.severity: alert.since},
        )  # fmt: skip
        self._silence(None, after, alert.fired_at, "")

    def _silence(self, before: RuleState | None, after: RuleState | None, at: int, why: str) -> None:
        stands = after or before
        assert stands is not None
        self._states.append(after or RuleState(stands.rule, stands.subject, "ok", at))
        self._transitions.append(
            Transition(
                rule=stands.rule,
                subject=stands.subject,
                before=before.state if before else "ok",
                after=after.state if after else "ok",
                at=at,
                recorded_at=self._outcome.judged_at,
                severity=after.severity if after else None,
                value=after.value if after else None,
                why=why,
                alert=stands.alert,
            )
        )

    def _silent_summary(self, memory: Memory, rule: ArrivalRule, since: int) -> str:
        host, now, zone = memory.host, self._outcome.judged_at, self._watch.policy.zone
        heard_at = host.arrived_at or since
        if not rule.options.summary:
            promised = ", which was to be back in a moment" if host.bye == "restart" else ""
            before = f", last heard {words.clock(heard_at, now, zone)}" if heard_at < since else ""
            return f"no word from this host{promised}{before}"
        given = {
            "value": words.number(round((now - since) / 1000)),
            "limit": words.number(memory.patience_of(rule) / 1000),
            "for": words.duration(now - since),
            "since": words.clock(heard_at, now, zone),
            "series": "",
            "severity": rule.severity,
        }
        return words.fill(rule.options.summary, host, given, None)


def _plain(rule: SeriesRule, value: float | None) -> str:
    """A value for a summary that brings its own unit, unless it is a time, which is none of the series'."""
    if rule.cadence == "slow" and value is not None:
        return rule.says(value)
    return words.plain(rule.metric, value)
