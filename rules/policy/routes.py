"""Which problems go where: the routes, and what is said on them beside the first word."""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta, Struct, field

from rules.model import Severity
from rules.policy.matching import Match
from rules.times.calendar import times

EVERY_CHANNEL = "*"
STEPS_MAX = 20
Names = Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]
When = str | tuple[str, ...]


class Step(Struct, kw_only=True, frozen=True):
    """Who hears of it besides, while nobody acknowledges it.

    after: how long after the first message
    channels: channels, or rotations of on_call
    """

    after_s: Annotated[float, Meta(gt=0, le=30 * 86_400)]
    channels: Names

    @property
    def after_ms(self) -> int:
        return round(self.after_s * 1000)


class Route(Match, kw_only=True, frozen=True):
    """Where problems go. The first route that fits is taken, and those after it only where it says `continue`.

    name: what it is called on pages
    when: only at these times, such as Mon-Fri 08:00 to 18:00
    channels: channels, or rotations of on_call; * is every channel
    continue: look at the routes after it as well
    group_by: labels; problems whose hosts have the same are told in one message
    group_wait: how long the first of them waits for others
    repeat: for each severity, after what time it is told again, as long as nobody acknowledges it
    escalate: who hears of it besides, while nobody does
    quiet_hours: instead of those that hold for all; [] for none
    """

    name: str = ""
    when: When = ()
    channels: Names
    continue_: bool = field(name="continue", default=False)
    group_by: tuple[str, ...] = ()
    group_wait_s: Annotated[float, Meta(ge=0, le=3_600)] = 30.0
    repeat_s: dict[Severity, float] = field(default_factory=lambda: {"critical": 4 * 3_600.0})
    escalate: Annotated[tuple[Step, ...], Meta(max_length=STEPS_MAX)] = ()
    quiet_hours: When | None = None

    def __post_init__(self) -> None:
        for written in (self.when, self.quiet_hours):
            if written:
                times(written)
        if not all(60 <= repeat_s < math.inf for repeat_s in self.repeat_s.values()):
            raise ValueError("repeat must be a minute or more; {} tells nothing again")

    @property
    def group_wait_ms(self) -> int:
        return round(self.group_wait_s * 1000)

    def repeat_ms(self, severity: Severity) -> int | None:
        repeat_s = self.repeat_s.get(severity)
        return None if repeat_s is None else round(repeat_s * 1000)


DEFAULT_ROUTES = (
    Route(name="critical", from_severity="critical", channels=(EVERY_CHANNEL,)),
    Route(name="all others", channels=(EVERY_CHANNEL,)),
)
"""Where nobody says otherwise: every channel hears what it is there for, and what is critical again after a while."""
