"""What becomes of the room and the size of hosts, in words of a page: what fills up and when, what is too large or too
small, with money, and what holds hosts back."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from collector.web.ahead import look_of, say_on, say_when
from collector.web.words import NBSP, Times, say_count, say_number, say_value, unit_of
from rules.capacity.bottlenecks import Bottleneck
from rules.capacity.report import Filling, HostReport

ROWS_MAX = 50


class FillingRow(Struct, frozen=True):
    """`full` says in how long it is full, `on` on which day."""

    host: int
    name: str
    series: str
    level: str
    full: str
    on: str
    reason: str
    look: str


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
    """`money` is what all changes of size come to in a month; `steady` and `unknown` count what is not listed."""

    looked_at: int
    fillings: list[FillingRow]
    steady: int
    unknown: int
    sizes: list[SizeRow]
    money: str
    needs: list[NeedRow]


def outlook(reports: Sequence[HostReport], times: Times) -> Outlook:
    """Of all hosts that were looked at; the most urgent first, ROWS_MAX of each."""
    looks = [filling.forecast.outlook for report in reports for filling in report.fillings]
    sized = [report for report in reports if report.sizing.fit in ("too_small", "too_large")]
    sized.sort(
        key=lambda report: (report.sizing.fit != "too_small", report.sizing.per_month or 0.0, report.name)
    )
    needs = [(report, need) for report in reports for need in report.bottlenecks]
    needs.sort(key=lambda pair: (-pair[1].beyond, pair[0].name))
    return Outlook(
        len(reports),
        [_filling(report, filling, times) for report, filling in soonest(reports)[:ROWS_MAX]],
        looks.count("steady"),
        looks.count("unknown"),
        [_size(report) for report in sized[:ROWS_MAX]],
        _money_of_all(sized),
        [_need(report, need) for report, need in needs[:ROWS_MAX]],
    )


def soonest(reports: Sequence[HostReport]) -> list[tuple[HostReport, Filling]]:
    """What fills up, the soonest first."""
    found = [
        (report, filling)
        for report in reports
        for filling in report.fillings
        if filling.forecast.outlook == "fills"
    ]
    return sorted(found, key=lambda pair: (pair[1].forecast.days or 0.0, pair[0].name, pair[1].series))


def _filling(report: HostReport, filling: Filling, times: Times) -> FillingRow:
    found = filling.forecast
    return FillingRow(
        report.host,
        report.name,
        filling.series,
        say_value(unit_of(filling.metric), found.level),
        say_when(found),
        say_on(found, report.at, times),
        found.reason,
        look_of(found),
    )


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
