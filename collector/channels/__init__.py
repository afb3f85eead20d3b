"""How a notice leaves the house: one file per kind, and here what every kind has in common.

A kind is a module with a docstring whose first line says where it tells, an `Options` struct and a `Channel` class. No
list elsewhere names it. A channel sends one message when asked and says truly what became of it; waiting, retrying and
remembering belong to the notifier.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

from agent.options import say_duration
from collector.messages import Channel, Failed, Message, Sent
from collector.posting import cut, shown
from rules.model import Severity

__all__ = ["Channel", "ChannelOptions", "Failed", "Message", "Sent", "cut", "shown"]

TIMEOUT_S_MIN, TIMEOUT_S_MAX = 1.0, 120.0
PerHour = Annotated[int, Meta(ge=1, le=1_000)]


class ChannelOptions(Struct, kw_only=True, frozen=True):
    """What every channel can be told.

    name: what the channel is called on pages, in notices and in metrics
    from_severity: it hears of incidents from this severity on
    per_hour: so many messages an hour at most; what is beyond that is told together, every ten minutes; null for any
    timeout: one try takes no longer than this
    """

    name: str
    from_severity: Severity = "warning"
    per_hour: PerHour | None = 30
    timeout_s: float = 15.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^\W_][\w. -]{0,62}", self.name):
            raise ValueError(
                f"the name {self.name[:80]!r} does not suit a channel; it has up to 63 letters, digits, spaces, "
                "dots, dashes and underscores, and begins with a letter or digit"
            )
        if not TIMEOUT_S_MIN <= self.timeout_s <= TIMEOUT_S_MAX:
            low, high = say_duration(TIMEOUT_S_MIN), say_duration(TIMEOUT_S_MAX)
            raise ValueError(f"the timeout of one try lies between {low} and {high}")
