"""Numbers, times and readings as a person reads them at three in the morning."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from rules.model import SERVICE, Host, Series, Severity
from rules.times.zones import wall, zone_named

_PLACEHOLDER = re.compile(r"\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}")
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Controls other than tabs and ends of lines, and what turns the direction of the letters that follow."""
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_UNITS = (
    ("_used_pct", " %"), ("_pct", " %"), ("_bytes_per_s", "B/s"), ("_bytes", "B"), ("_per_s", "/s"), ("_ms", " ms"),
    ("_s", " s"), ("_c", " °C"),
)  # fmt: skip
"""Endings of metric names and what is said for them, longest first. "B" is written with a prefix: 3.2 GiB."""
_CHECK_SAYS = {0: "is ok", 1: "warns", 2: "is bad"}


def unseen(text: str) -> str:
    """The first letter of it that no screen shows and that may play with terminals, mails and pages, such as U+001B."""
    found = _UNSEEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def number(value: float) -> str:
    """Whole numbers in full, others with as many digits as a person cares for."""
    if not math.isfinite(value) or abs(value) >= 1e15:
        return f"{value:.3g}"
    if value == int(value):
        return str(int(value))
    digits = 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 else f"{value:.2g}"


def size(value: float) -> str:
    """3.2 GiB"""
    power = 0
    while 1024 <= abs(value) < math.inf and power < len(_BYTES) - 1:
        value, power = value / 1024, power + 1
    return f"{number(round(value, 2))} {_BYTES[power]}"


def reading(metric: str, value: float | None) -> str:
    """A value of a series with its unit: 96 %, 3.2 GiB, 120 ms; "?" where there was no answer."""
    if value is None:
        return "?"
    for ending, unit in _UNITS:
        if metric.endswith(ending):
            return size(value) + unit.removeprefix("B") if unit.startswith("B") else number(value) + unit
    return number(value)


def plain(metric: str, value: float | None) -> str:
    """A value for a summary that brings its own unit: bytes are the exception, nobody reads eleven digits."""
    if value is None:
        return "?"
    return size(value) if metric.endswith(("_bytes", "_bytes_per_s")) else number(value)


def what(series: Series) -> str:
    """What a series is about: disk_used_pct{mount="/var"} is "disk /var", net_rx_bytes_per_s "net rx"."""
    name = series.metric
    for ending, _ in _UNITS:
        if name.endswith(ending) and name != ending:
            name = name.removesuffix(ending)
            break
    return " ".join([name.replace("_", " "), *series.labels.values()])


def subject(series: Series) -> str:
    """The same, where the state of a check is called by the check: "check web (http)"."""
    if series.metric != "check_state":
        return what(series)
    kind = f" ({series.labels['kind']})" if series.labels.get("kind") else ""
    return f"check {series.labels.get('check', '?')}{kind}"


def duration(ms: float) -> str:
    """45 s, 38 min, 2 h 5 min, 3 d 4 h: the two units that matter."""
    seconds = max(0, round(ms / 1000))
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def clock(at: int, now: int, zone: str = "UTC") -> str:
    """02:14 UTC, with the day where it is not today's there."""
    place = zone_named(zone)
    then = wall(at, place)
    day = "" if then.date() == wall(now, place).date() else f"{then.day} {then:%b} "
    return f"{day}{then:%H:%M %Z}"


def moment(at: int, zone: str = "UTC") -> str:
    """2026-11-20 02:14:07 UTC"""
    return f"{wall(at, zone_named(zone)):%Y-%m-%d %H:%M:%S %Z}"


def breach(series: Series, value: float | None, compares: str, limit: float | None, detail: str) -> str:
    """What is said where a rule brings no summary: "disk /var 96 % > 95 %", "check web (http) is bad: refused"."""
    if series.metric == "check_state":
        says = "is unknown" if value is None else _CHECK_SAYS.get(int(value), f"is {number(value)}")
        return f"{subject(series)} {says}{': ' + detail if detail else ''}"
    said = f"{what(series)} {reading(series.metric, value)}"
    return said if limit is None else f"{said} {compares} {reading(series.metric, limit)}"


def fill(template: str, host: Host, given: Mapping[str, str], series: Series | None) -> str:
    """A summary with its {{names}} filled in: what is given first, then the series' labels, then the host's.

    A name that means nothing stays as it was written, so that a slip is seen and no message is lost over it. Nothing is
    announced by a colon at the end where what should follow is empty.
    """
    known = {**host.labels, **(series.labels if series else {}), "host": host.name, **given}
    return _PLACEHOLDER.sub(lambda match: known.get(match[1], match[0]), template).removesuffix(": ")


def counted(count: int, one: str, many: str = "") -> str:
    """`1 host`, `2 hosts`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def named(host: str, said: str) -> str:
    """What is said about a host, with its name in front unless it is in there as a word of its own. What stands for a
    service is called by the service's name: what we call it inside is nobody's business at night."""
    host = host.removeprefix(SERVICE)
    if not host:
        return said
    # The pattern is another one for each host: it is not to be made where the name is nowhere to be found.
    if host in said and re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", said):
        return said
    return f"{host}: {said}"


def shout(severity: Severity) -> str:
    return severity.upper()
