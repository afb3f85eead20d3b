"""What a person would call a problem: alerts, the incident that they make, and what is done about it."""

from __future__ import annotations

import hashlib
from typing import Literal

from msgspec import Struct

from rules.model.severity import Severity
from rules.model.told import Told, Withheld

REOPEN_MS = 10 * 60_000
"""An incident that comes back this soon after its end is the same problem again."""


class Alert(Struct, frozen=True):
    """One rule being bad about one subject, from firing to resolved. `limit` is the limit it crossed, if it has one."""

    id: int
    rule: str
    subject: str
    host: int
    severity: Severity
    since: int
    fired_at: int
    summary: str
    incident: int
    value: float | None = None
    limit: float | None = None
    runbook: str = ""
    resolved_at: int | None = None


class Incident(Struct, frozen=True):
    """What a person would call one problem. `round` counts how often it was opened (it can come back within minutes).

    `told` has each channel that was told of it and not of its end yet; `withheld` is what is not told, and why. `came`
    is when it was opened of late, and `noted` how grave it was when somebody acknowledged it or put it off.
    `opened_by` names who reported it, in `text`, and is empty for one that alerts opened; `resolved_by` who ended it
    before it was over by itself. `edited` names what a person has set, of `title` and `severity`, and the judge leaves
    alone until the incident is over. `services` are the names of those touched.
    """

    id: int
    key: str
    title: str
    severity: Severity
    opened_at: int
    round: int = 1
    told: dict[str, Told] = {}
    resolved_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    assignee: str = ""
    snoozed_until: int | None = None
    opened_by: str = ""
    resolved_by: str = ""
    text: str = ""
    services: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    postmortem: str = ""
    noted: Severity | None = None
    came: tuple[int, ...] = ()
    withheld: tuple[Withheld, ...] = ()

    @property
    def postmortem_version(self) -> str:
        """Which text it is, in a few letters: whoever writes the next one says upon which."""
        return hashlib.sha256(self.postmortem.encode(errors="replace")).hexdigest()[:16]


WATCHKEEPER = "watchkeeper"
"""Who did it, where no person or program did."""

RemarkKind = Literal[
    "opened", "acknowledged", "unacknowledged", "resolved", "note", "published", "assigned", "snoozed", "edited"
]  # fmt: skip


class Remark(Struct, frozen=True):
    """What a person or a program did to an incident: a line of its timeline, never altered once written.

    `by` is a person's or a token's name, or WATCHKEEPER.
    """

    incident: int
    at: int
    by: str
    kind: RemarkKind
    text: str = ""
