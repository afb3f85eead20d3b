"""What keeps a problem from being told at all: silences, maintenance, and rules that are only being tried."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from rules.model import Why
from rules.policy.matching import Match, Trouble
from rules.times.calendar import Times, times


class Silence(Match, kw_only=True, frozen=True):
    """Nobody hears of such problems for a while. `start` and `end` are times; `by` is who wants it so, and `comment`
    why. `id` is 0 until it is stored."""

    start: int
    end: int
    by: str
    comment: str = ""
    id: int = 0


class Maintenance(Match, kw_only=True, frozen=True):
    """A time in which work is done, so that nobody needs to hear of such problems.

    name: what it is called in messages and on pages
    when: the time, or several, once or again and again, such as Saturday 22:00 to Sunday 06:00
    """

    name: str
    when: str | tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("name is empty; a maintenance needs a name of its own")
        times(self.when)


class Planned(Maintenance, kw_only=True, frozen=True):
    """One that a person has asked for while the collector runs. `id` is 0 until it is stored."""

    by: str
    comment: str = ""
    id: int = 0


class Mute(Struct, frozen=True):
    """Why something is not told, and until when; None if nobody knows."""

    why: Why
    until: int | None = None
    detail: str = ""


OBSERVED = Mute("observe")


def mute(
    trouble: Trouble,
    services: Collection[str],
    silences: Iterable[Silence],
    works: Sequence[tuple[Maintenance, Times]],
    now: int,
) -> Mute | None:
    """What keeps a trouble quiet now: of several, what does so the longest. None when nothing does."""
    if trouble.observed:
        return OBSERVED
    found = [
        Mute("silence", silence.end, f"{silence.by}: {silence.comment}" if silence.comment else silence.by)
        for silence in silences
        if silence.start <= now < silence.end and silence.fits(trouble, services)
    ]
    for work, when in works:
        if work.fits(trouble, services) and (until := when.until(now)) is not None:
            found.append(Mute("maintenance", until, work.name))
    return max(found, key=lambda one: one.until or 0, default=None)
