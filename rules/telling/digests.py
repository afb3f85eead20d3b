"""What a message says that is about several incidents."""

from __future__ import annotations

from collections.abc import Sequence

from rules import words
from rules.model import RANK, Line, Notice
from rules.policy.deciding import Owed
from rules.telling.notices import LISTED_MAX, NAMED_MAX, Story

LINES_MAX = 60
"""Incidents that its text names one by one."""
TITLED_MAX = 3
"""Incidents that its title names."""


def write(entries: Sequence[tuple[Story, Owed]], channel: str, instance: str) -> Notice:
    """One notice about all of them; what stands and is gravest comes first."""
    entries = sorted(
        entries, key=lambda entry: (_is_over(entry), -RANK[entry[1].severity], entry[0].started_at)
    )
    story, owed = entries[0]
    told = story.incident.told.get(channel)
    turn = 1 if told is None else told.count + 1
    standing = [entry for entry in entries if not _is_over(entry)]
    return Notice(
        id=f"wk-{instance[:8]}-{story.incident.id}-{story.incident.round}-digest-{turn}-{channel}",
        incident=story.incident.id,
        channel=channel,
        reason="digest",
        severity=owed.severity,
        host="",
        title=_title(entries, len(standing)),
        text=_text(entries, standing),
        created_at=story.now,
        started_at=min(story.started_at for story, _ in entries),
        resolved_at=None if standing else max(story.incident.resolved_at or 0 for story, _ in entries),
        alerts=[alert for story, _ in entries for alert in story.alerts[:NAMED_MAX]][:LISTED_MAX],
        about=[
            Line(story.incident.id, owed.reason, owed.severity, story.incident.title)
            for story, owed in entries
        ],
    )


def _is_over(entry: tuple[Story, Owed]) -> bool:
    return entry[1].reason == "resolved"


def _title(entries: Sequence[tuple[Story, Owed]], standing: int) -> str:
    over = len(entries) - standing
    named = "; ".join(story.incident.title for story, _ in entries[:TITLED_MAX])
    more = f"; and {len(entries) - TITLED_MAX} more" if len(entries) > TITLED_MAX else ""
    if not standing:
        return f"RESOLVED {over} problems: {named}{more}"
    state = words.shout(entries[0][1].severity)
    count = f"{standing} problem{'s' if standing > 1 else ''}" + (f", {over} over" if over else "")
    return f"{state} {count}: {named}{more}"


def _text(entries: Sequence[tuple[Story, Owed]], standing: Sequence[tuple[Story, Owed]]) -> str:
    lines = [_line(story, owed) for story, owed in entries[:LINES_MAX]]
    if 0 < len(standing) < len(lines):
        lines.insert(len(standing), "")
    more = len(entries) - LINES_MAX
    return "\n".join([*lines, f"… and {more} more"] if more > 0 else lines)


def _line(story: Story, owed: Owed) -> str:
    incident = story.incident
    if owed.reason == "resolved" and incident.resolved_at is not None:
        lasted = words.duration(incident.resolved_at - story.started_at)
        ended = words.clock(incident.resolved_at, story.now, story.zone)
        return f"RESOLVED {incident.title} (over since {ended}, lasted {lasted})"
    still = "still, " if owed.reason == "repeat" else ""
    held = f", and {len(story.held)} held back because of it" if story.held else ""
    since = words.clock(story.started_at, story.now, story.zone)
    return f"{words.shout(owed.severity)} {incident.title} ({still}since {since}{held})"
