"""A problem at three in the morning, in few words, and what is decided about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rules.model import ChannelView, Incident, Line, Notice, Severity, Told
from rules.policy import Case, Decision, Policy, Trouble, decide

MINUTE, HOUR = 60_000, 3_600_000
T0 = round(datetime(2026, 11, 20, 3, tzinfo=UTC).timestamp()) * 1000
"""A Friday, 03:00 UTC."""
MAIL, PAGER, ALL = ChannelView("mail"), ChannelView("pager", "critical"), ChannelView("all", "info")
CHANNELS = (MAIL, PAGER, ALL)


def trouble(severity: Severity = "warning", **more: Any) -> Trouble:
    labels = {"host": "db-3", "role": "db", "site": "lyon", **more.pop("labels", {})}
    named = {"rule": "disk-full", "category": "disk", "subject": "host:3/series:load1", **more}
    return Trouble(severity, labels=labels, **named)


def incident(severity: Severity = "warning", **more: Any) -> Incident:
    return Incident(1, "host:3/series:load1", "db-3: disk full", severity, T0, **{"came": (T0,), **more})


def told(**severities: Severity) -> dict[str, Told]:
    """Told when it began."""
    return {channel: Told(severity, T0, T0) for channel, severity in severities.items()}


def decided(
    severity: Severity = "warning",
    policy: Policy | None = None,
    *,
    after: int = 0,
    troubles: tuple[Trouble, ...] = (),
    channels: tuple[ChannelView, ...] = CHANNELS,
    **more: Any,
) -> Decision:
    """What is decided so long after it began."""
    case = Case(incident(severity, **more), troubles or (trouble(severity),), channels)
    return decide(case, policy or Policy(), T0 + after)


def owed(decision: Decision) -> list[str]:
    return [f"{one.channel} {one.reason}" for one in decision.owed]


def withheld(decision: Decision) -> list[str]:
    """Each with why and for how many minutes since the beginning."""
    return [
        " ".join(
            filter(
                None,
                (
                    one.channel,
                    one.why,
                    "" if one.until is None else f"until {(one.until - T0) // MINUTE}",
                    f"({one.detail})" if one.detail else "",
                ),
            )
        )
        for one in decision.withheld
    ]


def looks(decision: Decision) -> int | None:
    """How many minutes after the beginning to look again."""
    return None if decision.look_again_at is None else (decision.look_again_at - T0) // MINUTE


def lines(notice: Notice) -> list[Line]:
    return notice.about or [Line(notice.incident, notice.reason, notice.severity, notice.title)]


def believed(notices: list[Notice]) -> set[tuple[int, str]]:
    """What each channel still takes for a problem; no message may contradict those before it."""
    standing: set[tuple[int, str]] = set()
    for notice in notices:
        for line in lines(notice):
            place = (line.incident, notice.channel)
            if line.reason == "first":
                assert place not in standing, f"{notice.id}: told as new twice"
                standing.add(place)
            else:
                assert place in standing, f"{notice.id}: {line.reason} of what was never told"
            if line.reason == "resolved":
                standing.discard(place)
    return standing
