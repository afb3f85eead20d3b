"""A message about a problem, and to whom it can go."""

from __future__ import annotations

from msgspec import Struct

from rules.model.problems import Alert
from rules.model.severity import Severity
from rules.model.told import Line, Reason


class Notice(Struct, frozen=True):
    """One message about an incident to one channel: what is to be said, and why. Delivery is kept beside it.

    `id` stays the same on every try, so a receiver can tell a repeat. `started_at` is when the problem began, by sample
    time. `alerts` are those of the incident, the gravest first; at most a hundred. One that is about several problems
    (a digest) has a line `about` each of them, and is filed under the first.
    """

    id: str
    incident: int
    channel: str
    reason: Reason
    severity: Severity
    host: str
    title: str
    text: str
    created_at: int
    started_at: int
    resolved_at: int | None = None
    alerts: list[Alert] = []
    about: list[Line] = []


class ChannelView(Struct, frozen=True):
    """What deciding needs to know of a channel: from which severity on it hears of problems, and how many messages it
    may have in an hour; None for any number."""

    name: str
    from_severity: Severity = "warning"
    per_hour: int | None = None
