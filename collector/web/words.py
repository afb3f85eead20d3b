"""Numbers and times as people say them. A no-break space stands between a figure and its unit."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules import words

NBSP = "\N{NO-BREAK SPACE}"
NOTHING = "–"
"""Stands where a value would, when there is none."""

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
_TIME_MS_MAX = 253_370_764_800_000  # the year 9999, in any zone
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_ZONE_LETTERS_MAX = 64


# --- durations --------------------------------------------------------------------------------------------------------


def say_duration(ms: float) -> str:
    """`45 s`, `38 min`, `2 h 5 min`, `3 d 4 h`: as messages say it, but on one line."""
    return words.duration(ms).replace(" ", NBSP)


def say_ago(ms: float) -> str:
    return f"{say_duration(ms)} ago" if ms >= SECOND_MS else "now"


# --- quantities -------------------------------------------------------------------------------------------------------

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_DECIMAL_RATE = ("B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s", "EB/s")
_TIMES_MS = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (SECOND_MS, "s"), (1, "ms"))


def unit_of(metric: str) -> str:
    """What a metric is counted in, by the end of its name: %, B, B/s, ms, s, /s, °C or nothing."""
    for ending, unit in (
        ("_pct", "%"),
        ("_bytes_per_s", "B/s"),
        ("_bytes", "B"),
        ("_per_s", "/s"),
        ("_ms", "ms"),
        ("_s", "s"),
        ("_c", "°C"),
    ):
        if metric.endswith(ending):
            return unit
    return ""


def scale_of(unit: str, size: float) -> tuple[float, str]:
    """What to divide by, and the unit to write then, so that a value of this size is read easily."""
    size = abs(size)
    if unit == "B":
        return _step(size, 1024.0, _BINARY)
    if unit == "B/s":
        return _step(size, 1000.0, _DECIMAL_RATE)
    if unit in ("ms", "s"):
        size_ms = size * (SECOND_MS if unit == "s" else 1)
        for factor, name in _TIMES_MS:
            if size_ms >= factor or (name == "ms"):
                return factor / (SECOND_MS if unit == "s" else 1), name
    return 1.0, unit


def _step(size: float, base: float, names: tuple[str, ...]) -> tuple[float, str]:
    power = 0
    while size >= base and power < len(names) - 1:
        size, power = size / base, power + 1
    return base**power, names[power]


def say_value(unit: str, value: float | None) -> str:
    """`96 %`, `1.4 s`, `812 MiB`; a dash when there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    factor, name = scale_of(unit, value)
    return say_number(value / factor) + (f"{NBSP}{name}" if name else "")


def say_number(value: float) -> str:
    """Three figures that count, no trailing zeros, no exponent where people would not write one."""
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return f"{value:.2g}"
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    if 0 < size < 0.1:
        digits = 3 if size >= 0.01 else 4
    text = f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return text.rstrip("0").rstrip(".") if "." in text else text


def say_share(value: float | None) -> str:
    """A percentage in a table: whole, but never 100 or 0 when it only comes near."""
    if value is None or not math.isfinite(value):
        return NOTHING
    whole = min(99, round(value)) if value < 100 else round(value)
    return f"{max(1, whole) if value > 0 else whole}{NBSP}%"


def say_count(count: int, one: str, many: str | None = None) -> str:
    return f"{count}{NBSP}{one if count == 1 else many or one + 's'}"


# --- times ------------------------------------------------------------------------------------------------------------


def zone_named(name: str) -> tzinfo:
    """The zone of this name as browsers and tzdata write it; UTC when there is none."""
    if name == "UTC" or len(name) > _ZONE_LETTERS_MAX or not _ZONE.fullmatch(name):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


class Times:
    """Says times for a reader in `zone`, looking at the page at `now`."""

    def __init__(self, zone: tzinfo, now: int) -> None:
        self.zone, self.now = zone, now
        self._today = self.local(now)

    def local(self, ms: int) -> datetime:
        return datetime.fromtimestamp(min(max(ms, 0), _TIME_MS_MAX) / 1000, self.zone)

    @property
    def zone_name(self) -> str:
        return getattr(self.zone, "key", "UTC")

    def clock(self, ms: int) -> str:
        """`02:14`, with the day before it when that is another."""
        return self._with_day(self.local(ms), "%H:%M")

    def second(self, ms: int) -> str:
        return self._with_day(self.local(ms), "%H:%M:%S")

    def full(self, ms: int) -> str:
        return self.local(ms).strftime("%Y-%m-%d %H:%M:%S %Z")

    def ago(self, ms: int) -> str:
        return say_ago(self.now - ms)

    def lasted(self, ms: int) -> str:
        """How long it has lasted by now."""
        return say_duration(self.now - ms)

    def _with_day(self, at: datetime, form: str) -> str:
        clock = at.strftime(form)
        days = (self._today.date() - at.date()).days
        if days == 0:
            return clock
        if 0 < days < 7:
            return f"{at:%a}{NBSP}{clock}"
        if at.year == self._today.year:
            return f"{at.day}{NBSP}{at:%b}{NBSP}{clock}"
        return f"{at.day}{NBSP}{at:%b}{NBSP}{at.year}"


def iso(ms: int) -> str:
    """RFC 3339, for machines."""
    at = datetime.fromtimestamp(min(max(ms, 0), _TIME_MS_MAX) / 1000, UTC)
    return f"{at.isoformat(timespec='milliseconds')[:-6]}Z"


def rule_url(name: str) -> str:
    """Where a rule's page is: its name may have any letters."""
    return f"/rules/{quote(name, safe='')}"
