"""A service over a month, for whoever has to believe it: every second in one class, and the sum that shows it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rules.model import Alert, Incident, Series, is_of_host, split_subject
from rules.sla.budget import Budget, availability_pct, budget, counted_ms, sentence
from rules.sla.courses import course_of, intervals_of, tally
from rules.sla.model import CLASSES, Class, Interval, ServiceOptions, Tally
from rules.sla.periods import Period
from rules.sla.summary import LatencyStanding, Outage, counts_as_down, latency_standing, outages

Part = tuple[int, str | None]
"""A host that a service is made of, with the check that is meant of it, or None for the host itself."""


class Excluded(Struct, frozen=True):
    """Time that does not count, by its reason; `times` is how often there was some."""

    state: Class
    cause: str
    ms: int
    times: int


class Report(Struct, frozen=True):
    """`until` is the end of the period, or how far it has come. The intervals touch each other from its start to there.

    `repaired_ms` is how much of it batches that came late changed after it was first written down.
    """

    service: str
    title: str
    period: str
    zone: str
    start: int
    end: int
    until: int
    made_at: int
    tally: Tally
    counted_ms: int
    availability_pct: float | None
    budget: Budget | None
    latency: LatencyStanding | None
    outages: list[Outage]
    excluded: list[Excluded]
    repaired_ms: int
    intervals: list[Interval]
    sentence: str
    accounts: str


def report_of(
    service: ServiceOptions,
    period: Period,
    now: int,
    intervals: Sequence[Interval],
    incidents: Sequence[tuple[Incident, Sequence[Alert]]],
    parts: Collection[Part],
) -> Report:
    """`intervals`, at least one, touch each other from the start of the period on.

    `incidents` are those of the time with their alerts, `parts` the hosts that the service is made of, and those that
    it stands on. ValueError when the intervals have a hole.
    """
    _refuse_holes(intervals, period)
    whole = tally(course_of(intervals))
    downs = [one for one in intervals if counts_as_down(one, service)]
    until = intervals[-1].end
    standing = budget(service, whole, period, min(now, period.end), downs)
    return Report(
        service=service.name,
        title=service.called,
        period=period.called,
        zone=service.zone,
        start=period.start,
        end=period.end,
        until=until,
        made_at=now,
        tally=whole,
        counted_ms=counted_ms(whole, service),
        availability_pct=availability_pct(whole, service),
        budget=standing,
        latency=latency_standing(service, whole),
        outages=with_incidents(service.name, outages(downs), incidents, parts),
        excluded=_excluded(intervals, service),
        repaired_ms=sum(one.ms for one in intervals if one.repaired),
        intervals=intervals_of(course_of(intervals)),
        sentence=sentence(service, whole, period, now, standing),
        accounts=accounts(whole, until - period.start),
    )


def accounts(whole: Tally, window_ms: int) -> str:
    """The sum, written out. ValueError when it does not come out: then nothing of the report is to be believed."""
    if whole.whole != window_ms:
        raise ValueError(f"{whole.whole} ms are accounted for of a window of {window_ms} ms")
    terms = [f"{getattr(whole, name):,} {name}" for name in CLASSES if getattr(whole, name)]
    return f"{' + '.join(terms) or '0'} = {window_ms:,} ms, the whole window to the millisecond."


def _refuse_holes(intervals: Sequence[Interval], period: Period) -> None:
    reached = period.start
    for one in intervals:
        if one.start != reached or one.end <= one.start:
            raise ValueError(f"the intervals have a hole or an overlap at {reached}")
        reached = one.end
    if reached > period.end:
        raise ValueError(f"the intervals go on beyond the period, to {reached}")


def _excluded(intervals: Sequence[Interval], service: ServiceOptions) -> list[Excluded]:
    """The longest first."""
    found: dict[tuple[Class, str], list[int]] = {}
    for one in intervals:
        if one.state in ("maintenance", "outside") or (
            one.state == "unknown" and service.unknown == "excluded"
        ):
            found.setdefault((one.state, one.cause), []).append(one.ms)
    rows = [Excluded(state, cause, sum(spans), len(spans)) for (state, cause), spans in found.items()]
    return sorted(rows, key=lambda row: (-row.ms, row.cause))


# --- incidents --------------------------------------------------------------------------------------------------------


def with_incidents(
    service: str,
    outages: Sequence[Outage],
    incidents: Sequence[tuple[Incident, Sequence[Alert]]],
    parts: Collection[Part],
) -> list[Outage]:
    """Each with the incident that was about the service for the longest of it, if there was one."""
    spells = _spells(service, incidents, parts)
    return [_with_incident(one, spells) for one in outages]


Spell = tuple[Incident, int, int]
"""An incident, and from when until when something of it was about the service."""
FAR = 2**62


def _spells(
    service: str, incidents: Sequence[tuple[Incident, Sequence[Alert]]], parts: Collection[Part]
) -> list[Spell]:
    """A person may have said that the service is touched; otherwise the alerts tell."""
    found: list[Spell] = []
    for incident, alerts in incidents:
        if service in incident.services:
            found.append((incident, incident.opened_at, _or_far(incident.resolved_at)))
        found += [
            (incident, alert.since, _or_far(alert.resolved_at)) for alert in alerts if _is_about(alert, parts)
        ]
    return found


def _or_far(at: int | None) -> int:
    return FAR if at is None else at


def _with_incident(outage: Outage, spells: Sequence[Spell]) -> Outage:
    """The outage with the incident that was about the service for the longest of it."""
    shared = [
        (min(until, outage.end) - max(since, outage.start), -incident.id, incident)
        for incident, since, until in spells
    ]
    ms, _, incident = max(shared, key=lambda one: one[:2], default=(0, 0, None))
    if incident is None or ms <= 0:
        return outage
    return replace(outage, incident=incident.id, incident_title=incident.title)


def _is_about(alert: Alert, parts: Collection[Part]) -> bool:
    """Whether an alert is about one of the parts: the very check, be it judged over many hosts, or the host and all
    that it is a part of."""
    if alert.subject.startswith("check:"):
        return any(of == alert.subject.removeprefix("check:") for _, of in parts)
    if not is_of_host(alert.subject):
        return False
    host, name = split_subject(alert.subject)
    check = None if name is None else Series.parse(name).labels.get("check")
    return any(host == part and (name is None or (of is not None and of == check)) for part, of in parts)
