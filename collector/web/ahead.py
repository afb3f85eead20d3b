"""What fills up, drawn: what it was so far, where it goes by the best guess, between which lines it may go, and the
day on which it is full."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from collector.store import Points, Samples, Steps
from collector.web.charts import WIDTH, band_path, height_at, line_path
from collector.web.scales import Axis, time_ticks, value_axis
from collector.web.thinning import bounded, line_of, step_ms_for
from collector.web.words import DAY_MS, HOUR_MS, NBSP, Times, say_value, unit_of
from rules.capacity.forecast import Forecast
from rules.capacity.report import Filling, HostReport
from rules.model import Series
from rules.words import what

PAST_MS_MIN, PAST_MS_MAX = 6 * HOUR_MS, 30 * DAY_MS
AHEAD_MS_MIN = HOUR_MS
PAST_SHARE = 1.5
"""So many times as long as what is ahead, the past is shown."""
STEPS_MAX = 200
SOON_DAYS, NEAR_DAYS = 1.0, 7.0


class Ahead(Struct, frozen=True):
    """One thing that fills up, in a box as charts have it. `line` and `band` are what was, `guess` and `fan` what may
    come; `now_x` and `full_x` are in the box, `full_x` None for what is full already."""

    host: int
    name: str
    what: str
    series: str
    full: str
    on: str
    growth: str
    look: str
    line: str
    band: str
    guess: str
    fan: str
    now_x: float
    full_x: float | None
    limit: str
    limit_y: float
    y_ticks: list[tuple[float, str]]
    x_ticks: list[tuple[float, str]]

    @property
    def summary(self) -> str:
        """The drawing in a sentence, for whoever cannot see it."""
        return f"{self.name}, {self.what}: {self.growth}; {self.said}{self.on and f', {self.on}'}."

    @property
    def said(self) -> str:
        return f"full in {self.full}" if self.on else f"full {self.full}"


async def drawn_ahead(
    samples: Samples, fillings: Sequence[tuple[HostReport, Filling]], times: Times
) -> list[Ahead]:
    """Of what fills up, in the order given. StoreError."""
    found = []
    for report, filling in fillings:
        start, end = _span(report.at, filling.forecast)
        step_ms = step_ms_for(report.at - start, STEPS_MAX)
        past = await samples.series_step(report.host, [filling.series], start, report.at + 1, step_ms)
        if (steps := past.get(filling.series)) is not None and len(steps.at):
            start = max(start, int(steps.at[0]))
        found.append(draw_ahead(report, filling, steps, (start, end), times))
    return found


def _span(now: int, found: Forecast) -> tuple[int, int]:
    """From when to when it is drawn: a little beyond the day on which it is full at the latest."""
    days = found.days or 0.0
    latest = 1.6 * days if found.latest_days is None else min(found.latest_days, 2.0 * days)
    ahead = max(AHEAD_MS_MIN, round(1.1 * max(days, latest) * DAY_MS))
    past = min(PAST_MS_MAX, max(PAST_MS_MIN, round(PAST_SHARE * ahead)))
    return now - past, now + ahead


def draw_ahead(
    report: HostReport, filling: Filling, past: Points | Steps | None, span: tuple[int, int], times: Times
) -> Ahead:
    """`past` lies in `span`, which ends some time after the report."""
    found, unit = filling.forecast, unit_of(filling.metric)
    line = None if past is None else line_of(bounded(past), span[1] - span[0], 1)
    level = found.level or 0.0
    highest = max(filling.limit, level, 0.0 if line is None or not len(line.at) else float(line.high.max()))
    axis = value_axis(unit, min(0.0, level), highest, from_zero=True)
    guess, fan, full_x = _course(filling, report.at, span, axis)
    return Ahead(
        report.host,
        report.name,
        what(Series.parse(filling.series)),
        filling.series,
        say_when(found),
        say_on(found, report.at, times),
        _say_growth(found, unit),
        look_of(found),
        "" if line is None else line_path(line, span, axis),
        "" if line is None else band_path(line, span, axis),
        guess,
        fan,
        _x(report.at, span),
        full_x,
        f"full at {say_value(unit, filling.limit)}",
        height_at(axis, filling.limit),
        [(height_at(axis, value), text) for value, text in axis.ticks],
        [((at - span[0]) * 100 / (span[1] - span[0]), text) for at, text in time_ticks(*span, times)],
    )


def _course(filling: Filling, now: int, span: tuple[int, int], axis: Axis) -> tuple[str, str, float | None]:
    """The best guess and the range around it as SVG paths, and where the guess meets the limit."""
    found = filling.forecast
    if not found.days:
        return "", "", None
    begin, low, top = _x(now, span), height_at(axis, found.level or 0.0), height_at(axis, filling.limit)
    end, near = (_x(now + round(days * DAY_MS), span) for days in (found.days, found.soonest_days or 0.0))
    far, edge = _latest(found, now, span, (low, top))
    return f"M{begin},{low}L{end},{top}", f"M{begin},{low}L{near},{top}H{far}{edge}Z", end


def _latest(
    found: Forecast, now: int, span: tuple[int, int], heights: tuple[float, float]
) -> tuple[float, str]:
    """Where the slowest line meets the limit, or the right edge and the way down it to that line. Where no end of the
    range is known, it is drawn half as steep as the guess."""
    low, top = heights
    slowest = found.latest_days if found.latest_days is not None else 2.0 * (found.days or 0.0)
    meets = now + round(slowest * DAY_MS)
    if meets <= span[1]:
        return _x(meets, span), ""
    share = (span[1] - now) / (meets - now)
    return float(WIDTH), f"L{WIDTH},{round(low + (top - low) * share, 1)}"


def _x(at: int, span: tuple[int, int]) -> float:
    return round((at - span[0]) * WIDTH / (span[1] - span[0]), 1)


# --- in words ---------------------------------------------------------------------------------------------------------


def look_of(found: Forecast) -> str:
    days = found.days or 0.0
    return "critical" if days <= SOON_DAYS else "warning" if days <= NEAR_DAYS else ""


def say_when(found: Forecast) -> str:
    """`12 days (10 to 15)`, the range only where it is one; hours below two days, minutes below two hours; `now` for
    what is full."""
    if found.days is None:
        return ""
    if not found.days:
        return "now"
    factor, unit = (
        (1.0, "days") if found.days >= 2 else (24.0, "h") if found.days >= 2 / 24 else (1440.0, "min")
    )
    soonest, latest = found.soonest_days, found.latest_days
    lower = "" if soonest is None else f"{max(0, round(soonest * factor))}"
    upper = "or more" if latest is None else f"to{NBSP}{round(latest * factor)}"
    guess = f"{max(1, round(found.days * factor))}{NBSP}{unit}"
    if soonest is not None and latest is not None and round(soonest * factor) == round(latest * factor):
        return guess
    return f"{guess} ({lower}{NBSP}{upper})"


def say_on(found: Forecast, now: int, times: Times) -> str:
    """`Thu 3 Dec, between 1 Dec and 6 Dec`; the hour where it is soon; nothing for what is full."""
    if not found.days:
        return ""

    def at(days: float) -> str:
        moment = times.local(now + round(days * DAY_MS))
        if not soon:
            return f"{moment.day}{NBSP}{moment:%b}"
        today = moment.date() == times.local(now).date()
        return f"{moment:%H:%M}" if today else f"{moment:%a}{NBSP}{moment:%H:%M}"

    soon = found.days < 2
    guess = times.local(now + round(found.days * DAY_MS))
    said = at(found.days) if soon else f"{guess:%a}{NBSP}{at(found.days)}"
    soonest = "" if found.soonest_days is None else at(found.soonest_days)
    latest = "" if found.latest_days is None else at(found.latest_days)
    if not soonest or soonest == latest:
        return f"about {said}"
    return f"about {said}, " + (f"between {soonest} and {latest}" if latest else f"not before {soonest}")


def _say_growth(found: Forecast, unit: str) -> str:
    """`81 % now, 1.6 % more a day`."""
    now = f"{say_value(unit, found.level)} now"
    if not found.days or found.per_day is None or found.per_day <= 0:
        return now
    per, every = (found.per_day / 24, "an hour") if found.days < 2 else (found.per_day, "a day")
    return f"{now}, {say_value(unit, per)} more {every}"
