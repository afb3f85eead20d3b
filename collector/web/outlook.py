"""What becomes of the room and the size of hosts, as a page says it: what fills up and when, drawn with its range; what
is too large or too small, with money; what holds hosts back, in words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from collector.web.words import DAY_MS, NBSP, say_count, say_duration, say_number, say_value, unit_of
from rules.capacity.bottlenecks import Bottleneck
from rules.capacity.forecast import Forecast
from rules.capacity.report import Filling, HostReport

ROWS_MAX = 50
WIDTH, HEIGHT = 160, 32
HORIZONS_DAYS = (0.25, 1, 2, 7, 14, 30, 60, 90, 183)


class FillingRow(Struct, frozen=True):
    """`line` is where it goes by the best guess, `fan` between which lines it may go, `end_x` where it is full: in a
    box of WIDTH by HEIGHT, from now to the horizon and from empty to full."""

    host: int
    name: str
    series: str
    level: str
    full: str
    reason: str
    look: str
    line: str
    fan: str
    end_x: float


class SizeRow(Struct, frozen=True):
    host: int
    name: str
    has: str
    wanted: str
    money: str
    reason: str


class NeedRow(Struct, frozen=True):
    host: int
    name: str
    words: str
    resource: str


class Outlook(Struct, frozen=True):
    """`horizon` is how far every drawing looks, `money` what all changes of size come to in a month; `steady` and
    `unknown` count what is not listed."""

    looked_at: int
    horizon: str
    fillings: list[FillingRow]
    steady: int
    unknown: int
    sizes: list[SizeRow]
    money: str
    needs: list[NeedRow]


def outlook(reports: Sequence[HostReport]) -> Outlook:
    """Of all hosts that were looked at; the most urgent first, ROWS_MAX of each."""
    fillings = [(report, filling) for report in reports for filling in report.fillings]
    full = [pair for pair in fillings if pair[1].forecast.outlook == "fills"]
    full.sort(key=lambda pair: (pair[1].forecast.days or 0.0, pair[0].name, pair[1].series))
    full = full[:ROWS_MAX]
    horizon = _horizon([filling.forecast for _, filling in full])
    sized = [report for report in reports if report.sizing.fit in ("too_small", "too_large")]
    sized.sort(
        key=lambda report: (report.sizing.fit != "too_small", report.sizing.per_month or 0.0, report.name)
    )
    needs = [(report, need) for report in reports for need in report.bottlenecks]
    needs.sort(key=lambda pair: (-pair[1].beyond, pair[0].name))
    return Outlook(
        len(reports),
        say_duration(horizon * DAY_MS),
        [_filling(report, filling, horizon) for report, filling in full],
        sum(filling.forecast.outlook == "steady" for _, filling in fillings),
        sum(filling.forecast.outlook == "unknown" for _, filling in fillings),
        [_size(report) for report in sized[:ROWS_MAX]],
        _money_of_all(sized),
        [_need(report, need) for report, need in needs[:ROWS_MAX]],
    )


def _horizon(forecasts: Sequence[Forecast]) -> float:
    """The first round number of days that holds all guesses."""
    furthest = max((one.days or 0.0 for one in forecasts), default=0.0)
    return next((days for days in HORIZONS_DAYS if furthest <= days), HORIZONS_DAYS[-1])


def _filling(report: HostReport, filling: Filling, horizon: float) -> FillingRow:
    found = filling.forecast
    days, soonest = found.days or 0.0, found.soonest_days or 0.0
    latest = found.latest_days
    level = max(0.0, min(1.0, (found.level or 0.0) / filling.limit))
    y = round(HEIGHT * (1 - level), 1)
    end, near = _x(days, horizon), _x(soonest, horizon)
    far = WIDTH if latest is None else _x(latest, horizon)
    edge = (
        "" if latest is not None and latest <= horizon else f"L{WIDTH},{_y_at_edge(y, days, latest, horizon)}"
    )
    return FillingRow(
        report.host,
        report.name,
        filling.series,
        say_value(unit_of(filling.metric), found.level),
        say_when(found),
        found.reason,
        "critical" if days <= 1 else "warning" if days <= 7 else "",
        f"M0,{y}L{end},0",
        f"M0,{y}L{near},0H{min(far, WIDTH)}{edge}Z",
        end,
    )


def _x(days: float, horizon: float) -> float:
    return round(min(1.0, days / horizon) * WIDTH, 1)


def _y_at_edge(y: float, days: float, latest: float | None, horizon: float) -> float:
    """How high the slowest line has come at the right edge; where no end of it is known, half as far as the guess."""
    slowest = latest if latest is not None else max(2 * days, 2.0 * horizon)
    return round(y * (1 - min(1.0, horizon / slowest)), 1)


def say_when(found: Forecast) -> str:
    """`12 days (10 to 15)`, the range only where it is one; hours below two days; `now` for what is full."""
    if found.days is None:
        return ""
    if not found.days:
        return "now"
    factor, unit = (24.0, "h") if found.days < 2 else (1.0, "days")
    soonest, latest = found.soonest_days, found.latest_days
    lower = "" if soonest is None else f"{max(0, round(soonest * factor))}"
    upper = "or more" if latest is None else f"to{NBSP}{round(latest * factor)}"
    guess = f"{max(1, round(found.days * factor))}{NBSP}{unit}"
    if soonest is not None and latest is not None and round(soonest * factor) == round(latest * factor):
        return guess
    return f"{guess} ({lower}{NBSP}{upper})"


def _size(report: HostReport) -> SizeRow:
    sizing = report.sizing
    wanted = sizing.wanted
    return SizeRow(
        report.host,
        report.name,
        _said(sizing.has.cores, sizing.has.memory_gib),
        _said(wanted.cores, wanted.memory_gib) if wanted else "",
        _money(sizing.per_month, sizing.currency),
        sizing.reason,
    )


def _said(cores: float, gib: float) -> str:
    return f"{say_count(round(cores), 'core')}, {say_number(gib)}{NBSP}GiB"


def _money(per_month: float | None, currency: str) -> str:
    if per_month is None:
        return ""
    sign = "−" if per_month < 0 else "+"
    return f"{sign}{say_number(abs(per_month))}{NBSP}{currency}"


def _money_of_all(reports: Sequence[HostReport]) -> str:
    """Of each currency its own sum."""
    sums: dict[str, float] = {}
    for report in reports:
        if report.sizing.per_month is not None:
            sums[report.sizing.currency] = sums.get(report.sizing.currency, 0.0) + report.sizing.per_month
    return ", ".join(_money(total, currency) for currency, total in sorted(sums.items()))


def _need(report: HostReport, need: Bottleneck) -> NeedRow:
    return NeedRow(report.host, report.name, need.words, need.resource)
