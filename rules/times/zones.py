"""The clock on the wall of a place, and what the rest of the program counts in: milliseconds UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

Zone = tzinfo
MINUTE_MS = 60_000
DAY_MINUTES = 1_440
_SAID_FOR_UTC = ("UTC", "Etc/UTC", "Z")


def zone_named(name: str) -> Zone:
    """A place by its IANA name, such as Europe/Berlin. ValueError when there is none of that name."""
    if name in _SAID_FOR_UTC:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'"{name:.60}" is no time zone that is known here; write UTC or a name such as Europe/Berlin'
        ) from None


def wall(at: int, zone: Zone) -> datetime:
    """What a clock there shows."""
    return datetime.fromtimestamp(at // 1000, zone)


def moment(day: date, minutes: int, zone: Zone, *, last: bool = False) -> int:
    """When a clock there shows so many minutes after that day's midnight; of two such moments the first or the `last`.

    A time that is skipped when clocks are set forward is taken as so much later: 02:30 is then 03:30.
    """
    shown = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    first = stamp(shown)
    return max(first, stamp(shown.replace(fold=1))) if last else first


def reached(day: date, minutes: int, zone: Zone, *, last: bool = False) -> int:
    """When a clock there reaches that time: as `moment`, but of a time that is skipped, when the clocks are set."""
    at = moment(day, minutes, zone, last=last)
    shown = wall(at, zone)
    late_minutes = (shown.hour * 60 + shown.minute - minutes) % DAY_MINUTES
    if not late_minutes:
        return at
    begin = at - late_minutes * MINUTE_MS  # every moment of the gap is shown by as much too late
    offset = shown.utcoffset()
    return next(edge for edge in range(begin, at + 1, MINUTE_MS) if wall(edge, zone).utcoffset() == offset)


def stamp(shown: datetime) -> int:
    return round(shown.timestamp()) * 1000


def is_plain(day: date, zone: Zone) -> bool:
    """Whether that day's clock is set neither forward nor back, so that every minute of it is a minute."""
    return moment(day, 1_440, zone) - moment(day, 0, zone) == 86_400_000
