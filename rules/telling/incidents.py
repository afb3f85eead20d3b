"""Which alerts a person would call one problem, and what becomes of that problem.

An incident is known by its key: the host furthest up, among the alert's own host and those it is reached through
(labels `parent` and `depends_on`, names of hosts), that is down itself, or what fell silent at once with that host
(`rules.fleet.presence`); else what the alert is about (`rules.telling.topics`). Two rules about one series so share
an incident, and what a dead host takes down joins that host's. An alert that joins another subject's incident is held
back: it is listed there and has no notice of its own. Should it outlive its cause, it gets an incident of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rules import words
from rules.fleet.presence import SITE, ancestors, groups_of, is_group, named_above
from rules.fleet.shared import labels_of
from rules.judging.engine import series_of
from rules.model import RANK, REOPEN_MS, Alert, Host, Incident, Notice, Severity, worst
from rules.policy.deciding import Case
from rules.policy.flapping import opened
from rules.policy.matching import Trouble
from rules.telling import notices
from rules.telling.messages import Telling
from rules.telling.topics import is_own, topic_of

if TYPE_CHECKING:
    from rules.memory.watch import Watch

RELEASE_MS = 60_000
"""How long a held alert may outlive its cause: those behind a host that is back report one after the other."""

LOOKS_AT_ONCE = 500
"""Incidents that are looked at again at one moment, because their time has come; of more, the others a moment later."""


class Draft:
    """What one outcome does to alerts and incidents, written upon a Watch that is only read.

    Add, change and close alerts, then `settle` once: it brings the incidents up to date, looks again at those whose
    time has come, and says which notices are owed. `alerts` and `incidents` hold the new versions of what was touched,
    `looks` when to look again at what. `host` is one as it is from now on, if a batch has changed it.
    """

    def __init__(self, watch: Watch, now: int, host: Host | None = None) -> None:
        self._watch, self._now, self._host = watch, now, host
        self.looks: dict[int, int | None] = {}
        self.alerts: dict[int, Alert] = {}
        self.whys: dict[int, str] = {}
        self.incidents: dict[int, Incident] = {}
        self.members: dict[int, list[int]] = {}
        self._keys: dict[str, int] = {}
        self._down: dict[int, int] = {}
        self._together: dict[str, bool] = {}
        self._behind: dict[str, list[str]] | None = None
        self._next_alert, self._next_incident = watch.next_alert, watch.next_incident

    # --- alerts ---

    def add(self, alert: Alert) -> int:
        """Take in a new alert, whose id and incident are chosen here; returns the id."""
        number = self._next_alert
        self._next_alert += 1
        self.alerts[number] = replace(alert, id=number, incident=self._join(alert, number))
        self._count_down(alert, 1)
        return number

    def put(self, alert: Alert) -> None:
        """A new version of an alert."""
        self.alerts[alert.id] = alert
        self.incidents.setdefault(alert.incident, self._incident(alert.incident))

    def close(self, number: int, at: int, why: str = "") -> None:
        """`why`: what ended it, where that was not that all is well."""
        alert = self.alert(number)
        if alert.resolved_at is None:
            self.whys[number] = why
            self.put(replace(alert, resolved_at=max(at, alert.since)))
            self._count_down(alert, -1)

    def ended_earlier(self, number: int, at: int) -> None:
        """An alert that is over was over sooner than we knew; nothing if it is long forgotten."""
        alert = self.alerts.get(number) or self._watch.alerts.get(number)
        if alert is None or alert.resolved_at is None or alert.resolved_at <= at:
            return
        self.put(replace(alert, resolved_at=max(at, alert.since)))
        incident = self._incident(alert.incident)
        if incident.resolved_at is not None:
            last = max(member.resolved_at or 0 for member in self._alerts_of(incident.id))
            self.incidents[incident.id] = replace(incident, resolved_at=min(incident.resolved_at, last))

    def alert(self, number: int) -> Alert:
        return self.alerts.get(number) or self._watch.alerts[number]

    # --- what people do ---

    def report(self, title: str, severity: Severity, by: str, text: str, services: tuple[str, ...]) -> int:
        """Take in an incident that a person opens: it has no alerts, and a key of its own. Returns its number."""
        number = self._next_incident
        self._next_incident += 1
        self.incidents[number] = Incident(
            number,
            f"incident:{number}",
            title,
            severity,
            self._now,
            opened_by=by,
            text=text,
            services=services,
            came=(self._now,),
        )
        self.members[number] = []
        return number

    def take(self, incident: Incident) -> None:
        """A new version of an incident, as a person wants it."""
        self.incidents[incident.id] = incident

    # --- their incident ---

    def key(self, alert: Alert) -> str:
        """What a person would name as the trouble: see above."""
        chain = list(ancestors(self._watch, alert.host))
        about_host = alert.subject == f"host:{alert.host}"
        down = [host for host in (chain if about_host else [alert.host, *chain]) if self.is_down(host)]
        if not down and not about_host:
            return topic_of(alert.subject)
        top = down[-1] if down else alert.host
        return self._silent_with(top) or f"host:{top}"

    def _silent_with(self, host: int) -> str | None:
        """The group of hosts that fell silent at once and that the silence of this one is a part of."""
        memory = self._watch.hosts.get(host)
        for subject in groups_of(memory.host) if memory is not None else ():
            if self._together.get(subject, subject in self._watch.together):
                return subject
        return None

    def is_down(self, host: int) -> bool:
        """Whether there is an open alert about the host itself."""
        return len(self._watch.down.get(host, ())) + self._down.get(host, 0) > 0

    def release(self, number: int) -> None:
        """Give an alert whose cause is over an incident of its own, unless another cause holds it back."""
        alert = self.alert(number)
        before = self._incident(alert.incident)
        if self.key(alert) == before.key:
            return
        self.members[before.id] = [member for member in self._member_ids(before.id) if member != number]
        self.incidents[before.id] = before
        self.alerts[number] = replace(alert, incident=self._join(alert, number))

    def _join(self, alert: Alert, number: int) -> int:
        """The incident of an alert's key: the one that is open, the one just resolved, or a new one."""
        key = self.key(alert)
        found = self._keys.get(key) or self._watch.by_key.get(key)
        incident = self._incident(found) if found is not None else None
        if incident is None or self._long_over(incident):
            incident = Incident(self._next_incident, key, "", alert.severity, alert.since, came=(self._now,))
            self._next_incident += 1
            self._keys[key] = incident.id
            self.members[incident.id] = []
        elif incident.resolved_at is not None:
            incident = replace(
                incident,
                round=incident.round + 1,
                severity=alert.severity,
                resolved_at=None,
                acknowledged_at=None,
                acknowledged_by="",
                snoozed_until=None,
                resolved_by="",
                edited=(),
                noted=None,
                came=opened(incident, self._now),
            )
            self.members[incident.id] = []
        self.incidents[incident.id] = incident
        self.members[incident.id] = [*self._member_ids(incident.id), number]
        return incident.id

    def _long_over(self, incident: Incident) -> bool:
        return incident.resolved_at is not None and self._now - incident.resolved_at >= REOPEN_MS

    def _incident(self, number: int) -> Incident:
        return self.incidents.get(number) or self._watch.incidents[number]

    def _count_down(self, alert: Alert, by: int) -> None:
        if is_group(alert.subject):
            self._together[alert.subject] = by > 0
        if alert.subject == f"host:{alert.host}":
            self._down[alert.host] = self._down.get(alert.host, 0) + by

    def _member_ids(self, incident: int) -> list[int]:
        found = self.members.get(incident)
        return self._watch.members.get(incident, []) if found is None else found

    def _alerts_of(self, incident: int) -> list[Alert]:
        """The gravest first, then the oldest."""
        alerts = map(self.alert, self._member_ids(incident))
        return sorted(alerts, key=lambda alert: (-RANK[alert.severity], alert.since, alert.id))

    # --- in the end ---

    def settle(self) -> list[Notice]:
        """Bring every touched incident up to date; returns the notices owed."""
        touched = set(self.incidents)
        for number in self._watch.looks.due(self._now)[:LOOKS_AT_ONCE]:
            if number in self._watch.incidents:
                self.incidents.setdefault(number, self._watch.incidents[number])
        self.incidents = {number: self._up_to_date(number) for number in self.incidents}
        telling = Telling(self._watch, self._now)
        written = telling.tell([self._case(incident) for incident in self.incidents.values()], self._story)
        self.looks = telling.looks
        self.incidents = {
            number: incident
            for number, incident in telling.incidents.items()
            if number in touched or incident != self._watch.incidents[number]
        }
        return written

    def _up_to_date(self, number: int) -> Incident:
        incident, alerts = self.incidents[number], self._alerts_of(number)
        own = [alert for alert in alerts if is_own(alert, incident.key)]
        standing = [alert for alert in own if alert.resolved_at is None]
        since = min((alert.since for alert in alerts), default=incident.opened_at)
        incident = replace(
            incident,
            title=incident.title if "title" in incident.edited else self._title(incident, standing or own),
            severity=incident.severity
            if "severity" in incident.edited
            else worst(*(alert.severity for alert in standing)) or incident.severity,
            opened_at=min(incident.opened_at, since),
        )
        over = all(alert.resolved_at is not None for alert in alerts)
        if incident.opened_by:
            over = bool(incident.resolved_by)
        if over and incident.resolved_at is None:
            last = max((alert.resolved_at or 0 for alert in alerts), default=self._now)
            incident = replace(incident, resolved_at=last)
        return replace(incident, noted=self._noted(incident))

    def _noted(self, incident: Incident) -> Severity | None:
        """How grave it is when somebody acknowledges it or puts it off, for as long as that stands."""
        if incident.acknowledged_at is None and incident.snoozed_until is None:
            return None
        before = self._watch.incidents.get(incident.id)
        if before is not None and incident.noted is not None:
            marks = before.acknowledged_at, before.snoozed_until
            if marks == (incident.acknowledged_at, incident.snoozed_until):
                return incident.noted
        return incident.severity

    def _case(self, incident: Incident) -> Case:
        """The incident as deciding sees it."""
        own = [alert for alert in self._alerts_of(incident.id) if is_own(alert, incident.key)]
        standing = [alert for alert in own if alert.resolved_at is None]
        troubles = tuple(self._trouble(alert, incident) for alert in standing or own)
        by_hand = Trouble(incident.severity, subject=incident.key)
        return Case(incident, troubles or (by_hand,), self._watch.channels)

    def _trouble(self, alert: Alert, incident: Incident) -> Trouble:
        rule, labels = self._watch.rules.get(alert.rule), self._labels(alert)
        _, _, series = alert.subject.partition("/series:")
        return Trouble(
            severity=incident.severity if "severity" in incident.edited else alert.severity,
            rule=alert.rule,
            category=rule.options.category if rule is not None else "",
            subject=alert.subject,
            labels=labels,
            services=self._watch.policy.touched(labels, series_of(series) if series else None),
            observed=rule is not None and rule.options.observe,
        )

    def _labels(self, alert: Alert) -> dict[str, str]:
        if self._host is not None and self._host.id == alert.host:
            return self._host.binding_labels
        if alert.host in self._watch.hosts:
            return self._watch.hosts[alert.host].host.binding_labels
        if not is_group(alert.subject):
            return labels_of(alert.subject, self._watch.shared)
        site = alert.subject.removeprefix(SITE)
        return {"site": site} if site != alert.subject else {}

    def _title(self, incident: Incident, alerts: list[Alert]) -> str:
        if not alerts:
            return incident.title
        summary = " ".join(alerts[0].summary.split())  # what a check said may have several lines
        memory = self._watch.hosts.get(alerts[0].host)
        return words.named(memory.host.name, summary) if memory is not None else summary

    def _story(self, incident: Incident) -> notices.Story:
        hosts, alerts = self._watch.hosts, self._alerts_of(incident.id)
        own = [alert for alert in alerts if is_own(alert, incident.key)]
        held = [alert for alert in alerts if not is_own(alert, incident.key)]
        about = own[0].host if own else held[0].host if held else None
        name = hosts[about].host.name if about in hosts else ""
        by_hand = f"resolved by {incident.resolved_by}" if incident.resolved_by else ""
        return notices.Story(
            incident=incident,
            host=name,
            alerts=own,
            held=held,
            behind=self._children().get(name, []) if incident.key == f"host:{about}" else [],
            names={alert.host: hosts[alert.host].host.name for alert in [*own, *held] if alert.host in hosts},
            now=self._now,
            zone=self._watch.policy.zone,
            why=", ".join(dict.fromkeys(filter(None, (self.whys.get(alert.id) for alert in own)))) or by_hand,
        )

    def _children(self) -> dict[str, list[str]]:
        """The names of the hosts that are reached through each host; looked up once."""
        if self._behind is None:
            self._behind = {}
            for memory in self._watch.hosts.values():
                for above in named_above(memory.host):
                    self._behind.setdefault(above, []).append(memory.host.name)
        return self._behind
