"""What a message says of an incident, once `rules.policy` has decided that there is to be one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from rules import words
from rules.model import Alert, Incident, Notice
from rules.policy.deciding import Owed
from rules.policy.flapping import flaps

LISTED_MAX = 100
"""Alerts that go along with one notice; its text says how many more there are."""
NAMED_MAX = 12
"""Alerts or hosts that its text names one by one."""
LIMIT = re.compile(r" [<>] [^<>]+$")
"""What a sentence that is made for a rule ends with: disk / 96 % > 95 %."""


class Story(Struct, frozen=True):
    """What a notice is made from. `alerts` are the incident's own, the gravest first; `held` those it holds back;
    `behind` names hosts that are reached through the one it is about. `zone` is whose clock it is told by. `why` says
    what ended it just now, where that was not that all is well."""

    incident: Incident
    host: str
    alerts: Sequence[Alert]
    held: Sequence[Alert]
    behind: Sequence[str]
    names: dict[int, str]
    now: int
    zone: str = "UTC"
    why: str = ""

    @property
    def started_at(self) -> int:
        """When it began; one that keeps coming and going began when it came first."""
        if flaps(self.incident):
            return self.incident.opened_at
        return min((alert.since for alert in self.alerts), default=self.incident.opened_at)


def write(story: Story, owed: Owed, instance: str) -> Notice:
    """The notice itself. Its id is made of what it is about, so the same decision made again gives the same id."""
    incident = story.incident
    return Notice(
        id=f"wk-{instance[:8]}-{incident.id}-{incident.round}-{_turn(incident, owed)}-{owed.channel}",
        incident=incident.id,
        channel=owed.channel,
        reason=owed.reason,
        severity=owed.severity,
        host=story.host,
        title=_title(story, owed),
        text=_text(story),
        created_at=story.now,
        started_at=story.started_at,
        resolved_at=incident.resolved_at,
        alerts=[*story.alerts, *story.held][:LISTED_MAX],
    )


def _turn(incident: Incident, owed: Owed) -> str:
    """What makes it another message than those before. It is first, over, and each time graver only once a round; told
    again or further, it can be as often as you like."""
    told = incident.told.get(owed.channel)
    again = owed.reason == "repeat" or (told is not None and owed.after_ms > told.after_ms)
    return f"{owed.reason}-{owed.severity}" + (f"-{told.count + 1}" if again and told is not None else "")


def _title(story: Story, owed: Owed) -> str:
    """All that must be known, in one line: state, host, what, since when."""
    incident, began = story.incident, story.started_at
    if owed.reason == "resolved" and incident.resolved_at is not None:
        how = [story.why, "kept coming and going" if flaps(incident) else ""]
        lasted = f"lasted {words.duration(incident.resolved_at - began)}"
        return f"RESOLVED {incident.title} ({', '.join([*filter(None, how), lasted])})"
    told = incident.told.get(owed.channel)
    said = []
    if owed.reason == "escalated" and told is not None and told.severity != owed.severity:
        said.append(f"was {told.severity}")
    elif owed.reason == "repeat":
        said.append("still")
    if flaps(incident):
        said.append("keeps coming and going")
    if owed.after_ms > (0 if told is None else told.after_ms):
        said.append(f"nobody has acknowledged it for {words.duration(owed.after_ms)}")
    said.append(f"since {words.clock(began, story.now, story.zone)}")
    return f"{words.shout(owed.severity)} {incident.title} ({', '.join(said)})"


def _text(story: Story) -> str:
    incident = story.incident
    lines: list[str] = []
    if incident.opened_by and incident.resolved_at is None:
        lines += [incident.text or incident.title, f"  reported by {incident.opened_by}"]
    for alerts in _alike(story.alerts[:NAMED_MAX]):
        lines += _about(alerts, story)
    lines += _more(len(story.alerts))
    if incident.resolved_at is not None:
        lasted = words.duration(incident.resolved_at - story.started_at)
        why = f": {story.why}" if story.why else ""
        lines.append(f"All over since {words.moment(incident.resolved_at, story.zone)}, after {lasted}{why}.")
    if story.held:
        lines += ["", "Probably because of it, so not told separately:"]
        lines += [f"- {_held(alert, story)}" for alert in story.held[:NAMED_MAX]]
        lines += _more(len(story.held))
    listed = {story.names.get(alert.host) for alert in story.held}
    behind = [name for name in story.behind if name not in listed]
    if behind and incident.resolved_at is None:
        more = len(behind) - NAMED_MAX
        named = ", ".join(behind[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
        lines += ["", f"Reached through it, and not told separately while it is down: {named}."]
    runbooks = dict.fromkeys(alert.runbook for alert in story.alerts if alert.runbook)
    lines += ["", *(f"Runbook: {runbook}" for runbook in runbooks)] if runbooks else []
    return "\n".join(lines)


def _alike(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Those that say the same of the same thing, by another limit at most, together."""
    found: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        found.setdefault((alert.subject, LIMIT.sub("", alert.summary)), []).append(alert)
    return list(found.values())


def _about(alerts: Sequence[Alert], story: Story) -> list[str]:
    """What is wrong, by the gravest; then since when, how grave and by which rules."""
    gravest, rules = alerts[0], dict[str, list[str]]()
    for alert in alerts:
        rules.setdefault(f"{_lasted(alert, story)}; {alert.severity}", []).append(alert.rule)
    return [
        words.named(story.names.get(gravest.host, story.host), gravest.summary),
        *(f"  {said}, rule{'s'[: len(by) - 1]} {' and '.join(by)}" for said, by in rules.items()),
    ]


def _lasted(alert: Alert, story: Story) -> str:
    began = words.moment(alert.since, story.zone)
    if alert.resolved_at is not None:
        return f"from {began} to {words.moment(alert.resolved_at, story.zone)}"
    if alert.fired_at - alert.since < 1000:
        return f"since {began}"
    return f"since {began} (for {words.duration(story.now - alert.since)} now)"


def _held(alert: Alert, story: Story) -> str:
    name = story.names.get(alert.host, "?")
    over = ", over by now" if alert.resolved_at is not None else ""
    since = words.clock(alert.since, story.now, story.zone)
    return f"{words.named(name, alert.summary)} ({alert.severity}, since {since}{over})"


def _more(count: int) -> list[str]:
    return [f"… and {count - NAMED_MAX} more"] if count > NAMED_MAX else []
