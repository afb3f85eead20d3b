"""What channels have been told of a problem, and what is kept from them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rules.model.severity import Severity

Reason = Literal["first", "escalated", "repeat", "resolved", "digest"]
"""Why a message is sent. A digest is about several problems, each for a reason of its own."""


class Told(Struct, frozen=True, omit_defaults=True):
    """What a channel believes of a problem, from its first message until it hears of the end.

    `severity` is the gravest it was told, `since` when it was told first and `at` when last. `count` is how many
    messages that made; `after_ms` the longest time without an acknowledgement that it was told for. `bundle` names the
    message about several problems that it came in, and is empty where it had one of its own.
    """

    severity: Severity
    since: int
    at: int
    count: int = 1
    after_ms: int = 0
    bundle: str = ""


Why = Literal[
    "observe", "silence", "maintenance", "quiet hours", "acknowledged", "snoozed", "group", "cap", "flapping",
    "no route",
]  # fmt: skip


class Withheld(Struct, frozen=True, omit_defaults=True):
    """What is not told to a channel, to nobody where `channel` is empty, and why, until when if that is known.

    `detail` says more where there is more: whose silence, which maintenance. What has the same `bundle` is told in one
    message then.
    """

    channel: str
    why: Why
    until: int | None = None
    detail: str = ""
    bundle: str = ""


class Line(Struct, frozen=True):
    """What a message about several problems says of one of them, and why it is in there."""

    incident: int
    reason: Reason
    severity: Severity
    title: str
