"""Whose week it is: people who take turns, and who stands in for whom."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from rules.times.calendar import Times, minutes, times, weekday
from rules.times.zones import Zone, moment, wall, zone_named

_HAND_OVER = re.compile(r"([a-z]+) +(\d{1,2}):(\d{2})(?: +(\S+))?", re.IGNORECASE)


class StandIn(Struct, kw_only=True, frozen=True):
    """One who takes it for a while.

    channel: who
    when: from when to when, such as 2026-12-24 09:00 to 2026-12-27 09:00
    """

    channel: str
    when: str

    def __post_init__(self) -> None:
        times(self.when)


class Rotation(Struct, kw_only=True, frozen=True):
    """Channels that take turns, a week each.

    name: what routes call it
    weeks: the channels in their order
    hand_over: when the next one takes over; the time zone may follow
    since: the day on which the first one's first week begins
    instead: who stands in, and when
    """

    name: str
    weeks: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]
    hand_over: str = "Monday 09:00"
    since: str = "2026-01-05"
    instead: Annotated[tuple[StandIn, ...], Meta(max_length=1_000)] = ()

    def __post_init__(self) -> None:
        self._hand_over("UTC")
        try:
            date.fromisoformat(self.since)
        except ValueError:
            raise ValueError(f'since: "{self.since:.40}" is no day; write one such as 2026-01-05') from None

    @property
    def channels(self) -> list[str]:
        """Everybody whose turn it may be."""
        return list(dict.fromkeys([*self.weeks, *(stand_in.channel for stand_in in self.instead)]))

    def compiled(self, zone: str) -> OnCall:
        """`zone` is meant where `hand_over` and `instead` name none. ValueError for a zone that is not known."""
        day, minute, place = self._hand_over(zone)
        first = date.fromisoformat(self.since)
        first += timedelta(days=(day - first.weekday()) % 7)
        instead = tuple((stand_in.channel, times(stand_in.when, zone)) for stand_in in self.instead)
        return OnCall(self.weeks, first, minute, place, instead)

    def _hand_over(self, zone: str) -> tuple[int, int, Zone]:
        match = _HAND_OVER.fullmatch(" ".join(self.hand_over.split()))
        if match is None:
            raise ValueError(
                f'hand_over: "{self.hand_over:.60}" is no time of the week; write one such as Monday 09:00'
            )
        return weekday(match[1]), minutes(match[2], match[3]), zone_named(match[4] or zone)


class OnCall(Struct, frozen=True):
    """A rotation, ready to be asked. `first` is the day of the first hand-over, `minute` its time of day."""

    weeks: tuple[str, ...]
    first: date
    minute: int
    zone: Zone
    instead: tuple[tuple[str, Times], ...]

    def who(self, at: int) -> str:
        """The channel whose turn it is; of several that stand in, the one named first."""
        for channel, when in self.instead:
            if when.active(at):
                return channel
        return self.weeks[self._week(at) % len(self.weeks)]

    def next_change(self, at: int) -> int:
        """When the next one may take over."""
        week = self._week(at)
        changes = [self._begins(week + 1), *(when.next_change(at) for _, when in self.instead)]
        return min(change for change in changes if change is not None)

    def _week(self, at: int) -> int:
        """The week that `at` lies in, counted from the first."""
        week = (wall(at, self.zone).date() - self.first).days // 7
        return week if self._begins(week) <= at else week - 1

    def _begins(self, week: int) -> int:
        return moment(self.first + timedelta(weeks=week), self.minute, self.zone)
