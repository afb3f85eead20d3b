"""What is known of a host's series besides their values: limits of the rules that apply, and work that is planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from collector.config.kinds import kind_of
from collector.store import StoreError
from collector.web.charts import Work
from collector.web.standing import series_of
from rules.fleet.shared import labels_of
from rules.labels import listed, one_of
from rules.memory.watch import Watch
from rules.model import Alert, Host, Incident, Series, Severity
from rules.policy import Maintenance
from rules.times.calendar import Times as Calendar

WORKS_MAX = 200

Known = Callable[[], Watch]
"""What the judge remembers, to be read and never changed. StoreError while it is not to be trusted."""


def limits_of(known: Known, host: int) -> dict[str, list[tuple[float, Severity]]]:
    """By series, the limits of the rules that hold its readings against them. None of a host that is not judged now."""
    try:
        memory = known().hosts.get(host)
    except StoreError:
        return {}
    found: dict[str, list[tuple[float, Severity]]] = {}
    for rule, series in memory.track.plan.bound if memory else ():
        if kind_of(rule.options) != "threshold":
            continue  # a limit on how a series changes is no line among its values
        for severity in rule.severities:
            if (limit := rule.limit(severity)) is not None:
                found.setdefault(series, []).append((limit, severity))
    return found


def works_on(known: Known, host: Host, start: int, end: int) -> list[Work]:
    """The maintenance of a host in a stretch of time, in the order of its beginning."""
    try:
        policy = known().policy
    except StoreError:
        return []
    about = [(work, when) for work, when in policy.works if is_about(work, host.binding_labels)]
    return works_in(about, start, end)


def works_in(works: Sequence[tuple[Maintenance, Calendar]], start: int, end: int) -> list[Work]:
    found = [
        Work(begins, ends, work.name)
        for work, when in works
        for begins, ends in islice(_until(when, start, end), WORKS_MAX)
    ]
    return sorted(found, key=lambda work: work.start)[:WORKS_MAX]


def _until(when: Calendar, start: int, end: int) -> Iterator[tuple[int, int]]:
    for span in when.spans(start):
        if span[0] >= end:
            break
        yield span


def is_about(work: Maintenance, labels: Mapping[str, str]) -> bool:
    """Whether it is about whole hosts, and about one with these labels."""
    if work.rules or work.categories or work.services or work.subject:
        return False
    return all(one_of(listed(wanted), labels.get(label)) for label, wanted in work.where.items())


def services_touched(known: Known, incident: Incident, alerts: Sequence[Alert]) -> list[str]:
    """The services that a problem touches: those that somebody says, and those that its alerts are a part of."""
    try:
        watch = known()
    except StoreError:
        return sorted(incident.services)
    found = set(incident.services)
    for alert in alerts:
        memory = watch.hosts.get(alert.host)
        labels = labels_of(alert.subject, watch.shared) if memory is None else memory.host.binding_labels
        found |= watch.policy.touched(labels, _series(alert))
    return sorted(found)


def _series(alert: Alert) -> Series | None:
    try:
        return Series.parse(series_of(alert.subject)) if series_of(alert.subject) else None
    except ValueError:
        return None
