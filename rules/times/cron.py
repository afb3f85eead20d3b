"""Cron expressions, in the clock of a time zone: five fields, or one of the @words.

As Debian's cron has it: where the clocks are set forward, what was due in the hour that is skipped is due right after;
where they are set back, it is due once, in the first of the two hours. What is due every hour, or every few minutes,
goes by real time instead: nothing of it is skipped or left out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

from msgspec import Struct

from rules.times.zones import MINUTE_MS, Zone, is_plain, moment, reached, wall, zone_named

YEARS_MAX = 9
"""29 February may be as far away as that."""
WORDS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
_MONTHS = {
    name: place for place, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_DAYS = {name: place for place, name in enumerate("sun mon tue wed thu fri sat".split())}


class Field(Struct, frozen=True):
    name: str
    low: int
    high: int
    names: dict[str, int] = {}


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, _MONTHS),
    Field("day of the week", 0, 7, _DAYS),
)


class Cron(Struct, frozen=True):
    """When it is due. `by_real_time`: it is due every hour or oftener, so clocks that are set do not concern it."""

    text: str
    zone: Zone
    minutes: tuple[int, ...]
    """After midnight, of a day on which it is due."""
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    by_real_time: bool

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> Cron:
        """ValueError names the field and what is allowed."""
        fields = WORDS.get(text.strip().lower(), text).lower().split()
        if len(fields) != len(FIELDS):
            raise ValueError(
                f'"{text:.80}" is no cron expression; write five fields: minute hour day month weekday, or @daily'
            )
        minutes, hours, days, months, weekdays = map(_values, FIELDS, fields)
        cron = cls(
            text=text,
            zone=zone_named(zone),
            minutes=tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset((day - 1) % 7 for day in weekdays),  # Monday is 0 here, and 1 in cron
            either_day=not (fields[2].startswith("*") or fields[4].startswith("*")),
            by_real_time=fields[1].startswith("*") or fields[0].startswith("*"),
        )
        if not (cron.either_day or cron._ever()):
            raise ValueError(f'"{text:.80}" is never due: no such day comes')
        return cron

    def next_after(self, at: int) -> int | None:
        """The first time after `at` at which it is due; None when that is many years away."""
        today = wall(at, self.zone).date()
        for ahead in range(YEARS_MAX * 366):
            day = today + timedelta(days=ahead)
            if self._due_on(day):
                due = self._due(day)
                place = bisect_right(due, at)
                if place < len(due):
                    return due[place]
        return None

    def _due_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.weekday() in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def _due(self, day: date) -> _Regular | list[int]:
        if is_plain(day, self.zone):
            return _Regular(moment(day, 0, self.zone), self.minutes)
        if not self.by_real_time:
            return sorted({reached(day, minute, self.zone) for minute in self.minutes})
        return sorted(set(self._shown(day)))

    def _shown(self, day: date) -> Iterator[int]:
        """Every moment at which a clock shows one of the times: none in a gap, two where an hour comes twice."""
        for minute in self.minutes:
            for at in (moment(day, minute, self.zone), moment(day, minute, self.zone, last=True)):
                shown = wall(at, self.zone)
                if shown.hour * 60 + shown.minute == minute:
                    yield at

    def _ever(self) -> bool:
        return any(day <= monthrange(2024, month)[1] for month in self.months for day in self.days)


class _Regular(Struct, frozen=True):
    """The moments of a plain day, reckoned when they are asked for: of `* * * * *` there are 1,440."""

    midnight: int
    minutes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.minutes)

    def __getitem__(self, place: int) -> int:
        return self.midnight + self.minutes[place] * MINUTE_MS


_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")


def _values(field: Field, text: str) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match[1] == "*" and match[2]):
            raise _error(field, part)
        step = int(match[3] or 1)
        if match[1] == "*":
            low, high = field.low, field.high
        else:
            low = _number(field, match[1], part)
            high = _number(field, match[2], part) if match[2] else field.high if match[3] else low
        if step < 1 or low > high:
            raise _error(field, part)
        values.update(range(low, high + 1, step))
    return values


def _number(field: Field, text: str, part: str) -> int:
    if text in field.names:
        return field.names[text]
    if not text.isdecimal() or not field.low <= int(text) <= field.high:
        raise _error(field, part)
    return int(text)


def _error(field: Field, part: str) -> ValueError:
    return ValueError(
        f'"{part:.40}" is no {field.name} of a cron expression; write {field.low} to {field.high}, *, lists such as '
        "1,3, ranges such as 1-5 or steps such as */10"
    )
