"""A report as a page to print and as a table to reckon with. Both have every second of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from rules.sla.model import CLASSES
from rules.sla.report import Report
from rules.sla.words import percent, share, span_in_words
from rules.times.zones import wall, zone_named

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
h1 { margin-bottom: 0 } h2 { margin-top: 2rem } .lead { font-size: 1.15rem }
th, td { overflow-wrap: anywhere }
@media (max-width: 40rem) { th, td { padding-right: .4rem; font-size: .8rem } td.n, th.n { white-space: normal } }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } tr { break-inside: avoid } }
"""
MEANS = {
    "up": "it was as promised",
    "degraded": "it answered, but slowly or with a warning; that counts as available",
    "down": "it did not answer, or not as it should",
    "maintenance": "work that was announced; it does not count",
    "unknown": "nothing is known of that time",
    "outside": "beyond the hours that are promised; it does not count",
}
FORMULAS = "=+-@\t\r"
"""A spreadsheet takes a cell that begins with one of these for a formula."""


def as_csv(report: Report) -> str:
    """A row for each interval; their milliseconds add up to the window. Times are RFC 3339 in UTC."""
    outages = list(report.outages)
    lines = _Lines()
    rows = csv.writer(lines, lineterminator="\r\n")
    rows.writerow(["service", "from", "until", "ms", "class", "cause", "incident", "repaired"])
    for one in report.intervals:
        while outages and outages[0].end <= one.start:
            outages.pop(0)
        about = outages[0] if outages and outages[0].start <= one.start < outages[0].end else None
        incident = about.incident if about else None
        cause = f"'{one.cause}" if one.cause.startswith(tuple(FORMULAS)) else one.cause
        rows.writerow(
            [
                report.service,
                _rfc3339(one.start),
                _rfc3339(one.end),
                one.ms,
                one.state,
                cause,
                "" if incident is None else incident,
                "yes" if one.repaired else "",
            ]
        )
    return "".join(lines.written)


class _Lines:
    """What `csv` writes to."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)


def as_html(report: Report) -> str:
    """One file without anything that it loads."""
    title = f"{report.title}: availability in {report.period}"
    body = [
        f"<h1>{escape(report.title)}</h1>",
        f"<p>Availability in {escape(report.period)}, {_from_to(report)}</p>",
        f'<p class="lead">{escape(report.sentence)}</p>',
        *_promises(report),
        "<h2>Every second</h2>",
        *_classes(report),
        "<h2>Outages</h2>",
        *_outages(report),
        "<h2>What does not count, and why</h2>",
        *_excluded(report),
        "<h2>All of it, in order</h2>",
        *_intervals(report),
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _promises(report: Report) -> Iterator[str]:
    rows = [("availability", "-" if report.availability_pct is None else share(report.availability_pct))]
    if report.budget is not None:
        used, allowed = span_in_words(report.budget.used_ms), span_in_words(report.budget.allowed_ms)
        rows += [("promised", percent(report.budget.objective_pct)), ("down", f"{used} of {allowed} allowed")]
    if report.latency is not None:
        reached = "-" if report.latency.reached_pct is None else share(report.latency.reached_pct)
        limit, promised = report.latency.limit_ms, percent(report.latency.promised_pct)
        rows.append((f"answered within {limit:g} ms", f"{reached} of the time, {promised} promised"))
    yield from _table((), rows)


def _classes(report: Report) -> Iterator[str]:
    rows = [(name, MEANS[name], f"{getattr(report.tally, name):,}") for name in CLASSES]
    yield from _table(("class", "means", "ms"), [*rows, ("all", "", f"{report.tally.whole:,}")])
    yield f"<p>{escape(report.accounts)}</p>"
    if report.repaired_ms:
        yield (
            f"<p>Of this, {span_in_words(report.repaired_ms)} was first written down otherwise, "
            "and put right when samples came in late.</p>"
        )


def _outages(report: Report) -> Iterator[str]:
    if not report.outages:
        yield "<p>None.</p>"
        return
    rows = [
        (
            _shown(one.start, report),
            _shown(one.end, report),
            span_in_words(one.ms),
            one.cause,
            f"#{one.incident} {one.incident_title}" if one.incident is not None else "none was open",
        )
        for one in report.outages
    ]
    yield from _table(("from", "until", "for", "cause", "incident"), rows)


def _excluded(report: Report) -> Iterator[str]:
    if not report.excluded:
        yield "<p>All of it counts.</p>"
        return
    rows = [(one.state, one.cause, str(one.times), span_in_words(one.ms)) for one in report.excluded]
    yield from _table(("class", "why", "times", "for"), rows)


def _intervals(report: Report) -> Iterator[str]:
    rows = [
        (
            _shown(one.start, report),
            _shown(one.end, report),
            f"{one.ms:,}",
            one.state,
            one.cause + (" (repaired)" if one.repaired else ""),
        )
        for one in report.intervals
    ]
    yield from _table(("from", "until", "ms", "class", "cause"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns of milliseconds and spans stand to the right."""
    yield "<table>"
    if head:
        cells = "".join(f"<th{_side(name)}>{name}</th>" for name in head)
        yield f"<thead><tr>{cells}</tr></thead>"
    for row in rows:
        names = head or ("",) * len(row)
        cells = "".join(
            f"<td{_side(name)}>{escape(cell)}</td>" for name, cell in zip(names, row, strict=True)
        )
        yield f"<tr>{cells}</tr>"
    yield "</table>"


def _side(name: str) -> str:
    return ' class="n"' if name in ("ms", "for", "times") else ""


def _from_to(report: Report) -> str:
    whole = f"{_shown(report.start, report)} until {_shown(report.until, report)} ({escape(report.zone)})"
    return whole + (", so far" if report.until < report.end else "")


def _shown(at: int, report: Report) -> str:
    shown = wall(at, zone_named(report.zone))
    return f"{shown:%Y-%m-%d %H:%M:%S}" + (f".{at % 1000:03}" if at % 1000 else "")


def _rfc3339(at: int) -> str:
    shown = datetime.fromtimestamp(at // 1000, UTC)
    return f"{shown:%Y-%m-%dT%H:%M:%S}.{at % 1000:03}Z"
