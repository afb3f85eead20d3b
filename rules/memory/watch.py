"""All that judging remembers. It is read by `judge`, `tick` and `repair`, and changed here only."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from rules.fleet.neighbours import Sight
from rules.fleet.presence import is_group
from rules.fleet.shared import SharedCheck
from rules.judging.engine import Key, Plans, Rule, has_window
from rules.memory.host import NEVER, Memory
from rules.memory.seen import Seen
from rules.model import (
    REOPEN_MS,
    Alert,
    Change,
    ChannelView,
    Host,
    Incident,
    Outcome,
    RuleState,
    Severity,
    is_of_host,
    split_subject,
)
from rules.policy import Policy
from rules.policy.rationing import Ledger
from rules.telling.looks import Looks

NO_HOST = 0
"""Stands for a host where something is about many of them."""
MEMBERS_MAX = 500
"""Alerts of one incident that are remembered; of more, the longest resolved are forgotten here (never stored away)."""


class Watch:
    """All hosts, alerts and incidents as they stand, with the rules and channels that hold.

    Alerts and incidents are the open ones and those resolved within the time in which they can come back. `together`
    are the groups of hosts that fell silent at once; `gathered` is where rules about many hosts stand, by rule and
    subject, and `shared` are the checks that several hosts run. `unfilled` are hosts whose rules may look back further
    than is remembered: see `rules.memory.windows`. `ledger` is what was sent of late, `looks` when to look at
    incidents again.
    """

    def __init__(
        self,
        instance: str,
        rules: Iterable[Rule],
        channels: Iterable[ChannelView],
        policy: Policy | None = None,
        shared: Iterable[SharedCheck] = (),
    ) -> None:
        self.instance = instance
        self.hosts: dict[int, Memory] = {}
        self.by_name: dict[str, int] = {}
        self.alerts: dict[int, Alert] = {}
        self.members: dict[int, list[int]] = {}
        self.incidents: dict[int, Incident] = {}
        self.by_key: dict[str, int] = {}
        self.down: dict[int, set[int]] = {}
        self.together: dict[str, RuleState] = {}
        self.gathered: dict[Key, RuleState] = {}
        self.sights: dict[int, Sight] = {}
        self.next_alert = self.next_incident = 1
        self.late: set[int] = set()
        self.unfilled: set[int] = set()
        self._resolved: deque[tuple[int, int]] = deque()
        self.policy = policy or Policy()
        self.ledger, self.looks = Ledger(), Looks()
        self._set_rules(rules, channels, shared)

    @classmethod
    def from_remembered(
        cls,
        *,
        instance: str,
        rules: Iterable[Rule],
        channels: Iterable[ChannelView],
        hosts: Iterable[Host],
        seen: Iterable[Seen],
        states: Iterable[RuleState],
        alerts: Iterable[Alert],
        incidents: Iterable[Incident],
        next_alert: int,
        next_incident: int,
        started_at: int,
        policy: Policy | None = None,
        sent: Iterable[tuple[str, Severity, int]] = (),
        shared: Iterable[SharedCheck] = (),
    ) -> Watch:
        """A Watch that goes on where the store left off. `sent` has channel, severity and time of each message within
        the hour that was not of an end."""
        watch = cls(instance, rules, channels, policy, shared)
        watch.next_alert, watch.next_incident = next_alert, next_incident
        for host in hosts:
            watch.add_host(host)
        for spool in seen:
            if spool.host in watch.hosts:
                watch.hosts[spool.host].seen[spool.spool] = spool
        for incident in sorted(incidents, key=lambda incident: incident.resolved_at or NEVER):
            watch._take_incident(incident)
            watch.ledger.expect(incident.withheld)
        for channel, severity, at in sent:
            watch.ledger.count(channel, severity, at)
        for alert in alerts:
            if alert.incident in watch.incidents:
                watch._take_alert(alert)
        watch._take_states(states)
        watch._look_back()
        watch.listen_from(started_at)
        return watch

    def add_host(self, host: Host) -> None:
        """A host that was enrolled, or one whose name or labels an admin changed."""
        memory = self.hosts.get(host.id)
        if memory is None:
            self.hosts[host.id] = Memory(host, self.plans)
        else:
            self.by_name.pop(memory.host.name, None)
            memory.host = host
            memory.bind(self.plans)
        self.by_name[host.name] = host.id

    def remove_host(self, host: int) -> None:
        """Forget a host, of which nothing is open any more: see `rules.judging.leaving`."""
        memory = self.hosts.pop(host)
        if self.by_name.get(memory.host.name) == host:
            del self.by_name[memory.host.name]
        for hosts in (self.late, self.unfilled):
            hosts.discard(host)

    def listen_from(self, now: int) -> None:
        """Count silence from now on. To be called when we did not listen for a while, or our clock was set; what was to
        be looked at by that clock is looked at then."""
        for memory in self.hosts.values():
            memory.listen_from(now)
        self._look_at_all()

    # --- from what was remembered ---

    def _take_states(self, states: Iterable[RuleState]) -> None:
        for state in states:
            if is_group(state.subject):
                if state.alert in self.alerts:
                    self._take_together(state)
                continue
            if not is_of_host(state.subject):
                if state.alert is None or state.alert in self.alerts:
                    self.gathered[state.rule, state.subject] = state
                continue
            host, series = split_subject(state.subject)
            memory = self.hosts.get(host)
            if memory is None:
                continue
            if state.alert is None or state.alert in self.alerts:
                memory.restore(series, state)
            elif series is not None:  # its alert is lost: the next bad sample opens another
                memory.restore(series, replace(state, state="pending", alert=None))
        stated = {state.alert for memory in self.hosts.values() for state in memory.states()}
        for alert in self.alerts.values():
            if alert.resolved_at is None and alert.id not in stated and alert.host in self.hosts:
                levels = {alert.severity: alert.since}
                lost = RuleState(
                    alert.rule, alert.subject, "unknown", alert.since, alert.severity, None, alert.id, levels
                )
                self.hosts[alert.host].restore(split_subject(alert.subject)[1], lost)

    # --- rules and channels ---

    def _set_rules(
        self, rules: Iterable[Rule], channels: Iterable[ChannelView], shared: Iterable[SharedCheck]
    ) -> None:
        enabled = [rule for rule in rules if rule.enabled]
        self.rules: dict[str, Rule] = {rule.name: rule for rule in enabled}
        if len(self.rules) < len(enabled):
            twice = next(rule.name for rule in enabled if self.rules[rule.name] is not rule)
            raise ValueError(f"two rules are called {twice!r}; each needs a name of its own")
        self.channels = tuple(channels)
        self.shared = tuple(shared)
        self.plans = Plans(enabled, self.shared)

    def replace_rules(
        self,
        rules: Iterable[Rule],
        channels: Iterable[ChannelView],
        shared: Iterable[SharedCheck] = (),
    ) -> None:
        """From now on these hold. What removed rules left behind is cleared away by the next tick."""
        self._set_rules(rules, channels, shared)
        for memory in self.hosts.values():
            memory.bind(self.plans)
        self._look_back()
        self._look_at_all()

    def replace_policy(self, policy: Policy) -> None:
        """From now on this holds. Whoever is owed word by it is told with the next tick."""
        self.policy = policy
        self._look_at_all()

    def _look_at_all(self) -> None:
        """What was decided about incidents may not be so any more."""
        for incident in self.incidents.values():
            if incident.resolved_at is None or incident.told:
                self.looks.put(incident.id, 0)

    def _look_back(self) -> None:
        if any(has_window(rule) for rule in self.rules.values()):
            self.unfilled = {host for host, memory in self.hosts.items() if memory.host.last_at is not None}

    # --- what was decided ---

    def apply(self, outcome: Outcome) -> None:
        """Take an outcome into memory. It must have been made from this Watch as it stands."""
        if outcome.arrival is not None:
            memory = self.hosts[outcome.arrival.host]
            memory.take(outcome, self.plans)
            if memory.late is not None:
                self.late.add(memory.host.id)
        elif outcome.host is not None and outcome.seen is not None:
            self.hosts[outcome.host.id].take_word(outcome.host, outcome.seen)
        if outcome.looked is not None:
            self.hosts[outcome.looked].looked_at = outcome.judged_at
        if outcome.repaired is not None:
            memory = self.hosts[outcome.repaired]
            memory.repaired(outcome)
            self.late.discard(outcome.repaired)
        elif outcome.changes and outcome.arrival is not None:
            self.hosts[outcome.arrival.host].write(outcome.changes)
        elif outcome.changes:
            for change in outcome.changes:
                self._take_change(change)
        if outcome.states:
            self._take_silences(outcome.states)
        for incident in outcome.incidents:
            if incident.id in self.incidents or not _long_over(incident, outcome.judged_at):
                self._take_incident(incident)
        for alert in outcome.alerts:
            self._take_alert(alert)
        if outcome.notices or outcome.incidents or outcome.looks:
            self._take_decisions(outcome)
        if outcome.incidents:
            self._forget_resolved(outcome.judged_at)

    def _take_decisions(self, outcome: Outcome) -> None:
        if outcome.notices or outcome.incidents:
            self.ledger.take(outcome.notices, outcome.incidents)
            self.ledger.forget_before(outcome.judged_at)
        for incident, at in outcome.looks.items():
            self.looks.put(incident, at if incident in self.incidents else None)

    def _take_change(self, change: Change) -> None:
        """A step that no batch made: a rule is gone, a person resolved its alert, or a long past was looked at."""
        if change.host == NO_HOST:
            self._take_gathered(change)
            return
        memory = self.hosts[change.host]
        if change.after is None and not memory.is_aside(change.rule):
            memory.forget_rule((change.rule, change.series))
        else:
            memory.put(change)

    def _take_gathered(self, change: Change) -> None:
        """`series` is the subject there."""
        key = (change.rule, change.series)
        if change.after is None:
            self.gathered.pop(key, None)
        else:
            self.gathered[key] = change.after

    def _take_silences(self, states: Sequence[RuleState]) -> None:
        for state in states:
            if is_group(state.subject):
                self._take_together(state)
                continue
            if not is_of_host(state.subject):
                continue
            host, series = split_subject(state.subject)
            if series is not None:
                continue
            if state.state == "ok":
                self.hosts[host].absence.pop(state.rule, None)
            else:
                self.hosts[host].absence[state.rule] = state

    def _take_together(self, state: RuleState) -> None:
        if state.state == "ok":
            self.together.pop(state.subject, None)
        else:
            self.together[state.subject] = state

    def _take_incident(self, incident: Incident) -> None:
        before = self.incidents.get(incident.id)
        self.next_incident = max(self.next_incident, incident.id + 1)
        self.incidents[incident.id] = incident
        if self.by_key.get(incident.key, 0) < incident.id:
            self.by_key[incident.key] = incident.id
        self.members.setdefault(incident.id, [])
        if before is not None and incident.round > before.round:
            self._forget_members(incident.id)
        if incident.resolved_at is not None:
            self._resolved.append((incident.resolved_at, incident.id))

    def _take_alert(self, alert: Alert) -> None:
        before = self.alerts.get(alert.id)
        self.next_alert = max(self.next_alert, alert.id + 1)
        self.alerts[alert.id] = alert
        if before is None or before.incident != alert.incident:
            if before is not None:
                self.members[before.incident].remove(alert.id)
            self.members.setdefault(alert.incident, []).append(alert.id)
            self._keep_members_few(alert.incident)
        if alert.subject == f"host:{alert.host}":
            down = self.down.setdefault(alert.host, set())
            (down.discard if alert.resolved_at is not None else down.add)(alert.id)
            if not down:
                del self.down[alert.host]

    def _keep_members_few(self, incident: int) -> None:
        members = self.members[incident]
        if len(members) <= MEMBERS_MAX:
            return
        for number in members:
            if self.alerts[number].resolved_at is not None:
                members.remove(number)
                del self.alerts[number]
                return

    def _forget_members(self, incident: int) -> None:
        for number in self.members[incident]:
            self.alerts.pop(number, None)
        self.members[incident] = []

    def _forget_resolved(self, now: int) -> None:
        while self._resolved and now - self._resolved[0][0] >= REOPEN_MS:
            at, number = self._resolved.popleft()
            incident = self.incidents.get(number)
            if incident is None or incident.resolved_at is None or incident.resolved_at > at or incident.told:
                continue
            self._forget_members(number)
            self.looks.put(number, None)
            del self.incidents[number], self.members[number]
            if self.by_key.get(incident.key) == number:
                del self.by_key[incident.key]


def _long_over(incident: Incident, now: int) -> bool:
    """Whether it cannot come back any more: written about, it is the store's affair alone."""
    return incident.resolved_at is not None and now - incident.resolved_at >= REOPEN_MS


def apply(watch: Watch, outcome: Outcome) -> None:
    """Take an outcome into memory. It must have been made from this Watch as it stands."""
    watch.apply(outcome)


def replace_rules(
    watch: Watch,
    rules: Iterable[Rule],
    channels: Iterable[ChannelView],
    shared: Iterable[SharedCheck] = (),
) -> None:
    """From now on these hold; states of rules that stay are kept."""
    watch.replace_rules(rules, channels, shared)
