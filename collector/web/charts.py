"""Series drawn as SVG: geometry only, in numbers and short texts; the template puts it on the page.

The plot is a box of 1000 by 160 that the page stretches to its width; what is written beside it is not stretched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from collector.store import Points, Steps
from collector.web.catalog import Plan
from collector.web.scales import Axis, time_ticks, value_axis
from collector.web.standing import series_of
from collector.web.thinning import Line, bounded, line_of, longer, step_ms_for, steps_of
from collector.web.words import MINUTE_MS, NOTHING, Times, iso, say_value
from rules.model import Alert, Severity

WIDTH, HEIGHT = 1000, 160
LABEL_HEIGHT = 14
LABEL_LETTERS_MAX = 14
TABLE_ROWS_MAX = 72
_FROM_ZERO = {"%", "B", "B/s", "ms", "s", "/s", ""}


class Trace(Struct, frozen=True):
    """One line: `line` and `band` are SVG paths, `slot` its colour, `label_y` where its name stands at the right."""

    name: str
    label: str
    short: str
    slot: int
    line: str
    band: str
    newest: str
    label_y: float


class Limit(Struct, frozen=True):
    y: float
    label_y: float
    text: str
    severity: str


class Bar(Struct, frozen=True):
    """From when to when something was, along the time axis, in percent of it: an alert, or work on the host. `begins`
    says that its beginning is to be seen."""

    x: float
    end_x: float
    look: str
    text: str
    begins: bool = True


class Work(Struct, frozen=True):
    """A time in which work is done."""

    start: int
    end: int
    name: str


class Around(Struct, frozen=True):
    """What is known of a host's series besides their values: `alerts` of the time shown, open or over, `limits` of the
    rules that apply, by series, and the `works` in that time."""

    alerts: Sequence[Alert] = ()
    limits: Mapping[str, Sequence[tuple[float, Severity]]] = {}
    works: Sequence[Work] = ()


class TableRow(Struct, frozen=True):
    at: str
    at_iso: str
    x: float
    cells: list[str]


class Chart(Struct, frozen=True):
    title: str
    traces: list[Trace]
    silent: list[str]
    y_ticks: list[tuple[float, str]]
    x_ticks: list[tuple[float, str]]
    limits: list[Limit]
    beyond: str
    bars: list[Bar]
    summary: str
    thinned: str
    rows: list[TableRow]
    rows_each: str
    names: list[str]


def draw(
    plan: Plan,
    found: Mapping[str, Points | Steps],
    span: tuple[int, int],
    every_ms: int,
    around: Around,
    times: Times,
) -> Chart:
    """`found` by series name; of what is `around`, that about these series is shown."""
    start, end = span
    found = {name: bounded(found[name]) for name, _ in plan.series}
    lines = {name: line_of(found[name], end - start, every_ms) for name, _ in plan.series}
    drawn = {name: line for name, line in lines.items() if len(line.at)}
    about = [alert for alert in around.alerts if series_of(alert.subject) in lines]
    axis, shown, beyond = _axis(
        plan.unit, list(drawn.values()), _open_limits(about), _limits_of(drawn, around)
    )
    ends = {name: height_at(axis, float(line.mean[-1])) for name, line in drawn.items()}
    limit_ys = [height_at(axis, limit) for limit, _ in shown]
    places = spread([*ends.values(), *limit_ys])
    step_ms = max((line.step_ms for line in drawn.values()), default=0)
    rows, each_ms = _table(plan, {name: found[name] for name in drawn}, span, times)
    return Chart(
        plan.title,
        _traces(plan, drawn, span, axis, dict(zip(ends, places, strict=False))),
        [label for name, label in plan.series if name not in drawn],
        [(height_at(axis, value), text) for value, text in axis.ticks],
        [((at - start) * 100 / (end - start), text) for at, text in time_ticks(start, end, times)],
        [
            Limit(y, label_y, f"limit {say_value(plan.unit, limit)}", severity)
            for (limit, severity), y, label_y in zip(shown, limit_ys, places[len(ends) :], strict=True)
        ],
        ", ".join(f"{severity} from {say_value(plan.unit, limit)} on" for limit, severity in beyond),
        _bars(about, around.works, span, times),
        _summary(plan, drawn),
        say_value("ms", step_ms) if step_ms else "",
        rows,
        say_value("ms", each_ms),
        [name for name, _ in plan.series],
    )


# --- the plot ---------------------------------------------------------------------------------------------------------


LIMITS_MAX = 4
FAR = 2.5
"""A limit so many times beyond what is measured would press the line to the floor: it is said instead of drawn."""


def _open_limits(about: Sequence[Alert]) -> dict[float, Severity]:
    return {a.limit: a.severity for a in about if a.limit is not None and a.resolved_at is None}


def _limits_of(names: Iterable[str], around: Around) -> dict[float, Severity]:
    return dict(pair for name in names for pair in around.limits.get(name, ()))


def _axis(
    unit: str, lines: Sequence[Line], crossed: Mapping[float, Severity], known: Mapping[float, Severity]
) -> tuple[Axis, list[tuple[float, Severity]], list[tuple[float, Severity]]]:
    """The axis, the limits on it, and those that lie too far out to be on it. One that was crossed always is."""
    lowest = min([float(line.low.min()) for line in lines] + [*crossed], default=0.0)
    highest = max([float(line.high.max()) for line in lines] + [*crossed], default=1.0)
    reach = 100.0 if unit == "%" and highest <= 100 else FAR * max(highest, 0.0)
    near = {limit: severity for limit, severity in known.items() if min(lowest, 0.0) <= limit <= reach}
    lowest, highest = min([lowest, *near]), max([highest, *near])
    axis = value_axis(unit, lowest, highest, from_zero=unit in _FROM_ZERO or lowest < highest / 2)
    shown = sorted({**near, **crossed}.items())[:LIMITS_MAX]
    beyond = sorted(
        (limit, severity) for limit, severity in known.items() if limit not in {**near, **crossed}
    )
    return axis, shown, beyond[:LIMITS_MAX]


def height_at(axis: Axis, value: float) -> float:
    return round(HEIGHT * (1 - axis.part(value)), 1)


def _traces(
    plan: Plan, drawn: Mapping[str, Line], span: tuple[int, int], axis: Axis, label_ys: Mapping[str, float]
) -> list[Trace]:
    return [
        Trace(
            name,
            label,
            "" if label == plan.title else _short(label),
            slot,
            line_path(drawn[name], span, axis),
            band_path(drawn[name], span, axis) if drawn[name].step_ms else "",
            say_value(plan.unit, float(drawn[name].mean[-1])),
            label_ys[name],
        )
        for slot, (name, label) in enumerate(plan.series, start=1)
        if name in drawn
    ]


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LETTERS_MAX else f"{label[: LABEL_LETTERS_MAX - 1]}…"


def _coordinates(line: Line, span: tuple[int, int]) -> list[float]:
    start, end = span
    return np.round((line.at - start) * (WIDTH / (end - start)), 1).tolist()  # type: ignore[no-any-return]


def _heights(values: np.ndarray[tuple[int], np.dtype[np.float64]], axis: Axis) -> list[float]:
    return np.round(HEIGHT * (1 - (values - axis.low) / (axis.high - axis.low)), 1).tolist()  # type: ignore[no-any-return]


def line_path(line: Line, span: tuple[int, int], axis: Axis) -> str:
    """A gap in the data is a gap in the line; a point alone between two gaps is a dot."""
    xs, ys = _coordinates(line, span), _heights(line.mean, axis)
    pieces = []
    for first, last in runs(line):
        pieces.append("M" + " ".join(map("{:g},{:g}".format, xs[first:last], ys[first:last])))
        if last - first == 1:
            pieces.append("h.1")
    return "".join(pieces)


def band_path(line: Line, span: tuple[int, int], axis: Axis) -> str:
    xs, lows, highs = _coordinates(line, span), _heights(line.low, axis), _heights(line.high, axis)
    pieces = []
    for first, last in runs(line):
        there = map("{:g},{:g}".format, xs[first:last], highs[first:last])
        back = map("{:g},{:g}".format, reversed(xs[first:last]), reversed(lows[first:last]))
        pieces.append(f"M{' '.join(there)} {' '.join(back)}Z")
    return "".join(pieces)


def runs(line: Line) -> list[tuple[int, int]]:
    """(first, after the last) of each stretch without a gap."""
    firsts = np.flatnonzero(line.begins).tolist()
    return list(zip(firsts, [*firsts[1:], len(line.at)], strict=True))


def spread(wanted: Sequence[float]) -> list[float]:
    """Heights near those wanted at which labels do not cover each other: pushed down, and up again at the floor."""
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    placed: list[float] = []
    for place in order:
        placed.append(max(wanted[place], placed[-1] + LABEL_HEIGHT if placed else 0.0))
    floor = float(HEIGHT)
    for at in reversed(range(len(placed))):
        placed[at] = min(placed[at], floor)
        floor = placed[at] - LABEL_HEIGHT
    return [round(y, 1) for _, y in sorted(zip(order, placed, strict=True))]


# --- what is marked in it ---------------------------------------------------------------------------------------------


BARS_MAX = 50


def _bars(about: Sequence[Alert], works: Sequence[Work], span: tuple[int, int], times: Times) -> list[Bar]:
    """Work first, so that alerts are seen before it."""
    done = [_bar(work.start, work.end, "work", f"Maintenance: {work.name}", span, times) for work in works]
    alerts = [
        _bar(alert.since, alert.resolved_at or times.now, alert.severity, alert.summary, span, times)
        for alert in about
    ]
    return [bar for bar in [*done[:BARS_MAX], *alerts[:BARS_MAX]] if bar is not None]


def _bar(since: int, until: int, look: str, text: str, span: tuple[int, int], times: Times) -> Bar | None:
    start, end = span
    if until <= start or since >= end:
        return None
    x, end_x = ((at - start) * 100 / (end - start) for at in (max(since, start), min(until, end)))
    said = f"{text}, since {times.clock(since)}"
    if until < times.now:
        said += f" until {times.clock(until)}"
    return Bar(round(x, 2), round(max(end_x, x + 0.2), 2), look, said, since >= start)


def _summary(plan: Plan, drawn: Mapping[str, Line]) -> str:
    """The chart in a sentence, for whoever cannot see it."""
    if not drawn:
        return f"{plan.title}: no values in this time."
    parts = []
    for name, label in plan.series:
        if name in drawn:
            line = drawn[name]
            ends = (float(line.mean[-1]), float(line.low.min()), float(line.high.max()))
            newest, lowest, highest = (say_value(plan.unit, value) for value in ends)
            parts.append(f"{label} now {newest}, between {lowest} and {highest}")
    return f"{plan.title}: {'; '.join(parts)}."


# --- the same values as a table ---------------------------------------------------------------------------------------


def _table(
    plan: Plan, found: Mapping[str, Points | Steps], span: tuple[int, int], times: Times
) -> tuple[list[TableRow], int]:
    """The newest first, and how long each row's time is."""
    start, end = span
    each_ms = max((_row_ms(series, end - start) for series in found.values()), default=0)
    cells: dict[int, dict[str, str]] = {}
    for name, series in found.items():
        steps = longer(series, each_ms) if isinstance(series, Steps) else steps_of(series, each_ms)
        columns = (steps.at, steps.low, steps.mean, steps.high, steps.count)
        for at, low, mean, high, count in zip(*(column.tolist() for column in columns), strict=True):
            if count:
                cells.setdefault(at, {})[name] = _say_cell(plan.unit, low, mean, high)
    rows = [
        TableRow(
            times.second(at) if each_ms < MINUTE_MS else times.clock(at),
            iso(at),
            round((min(max(at + each_ms / 2, start), end) - start) * 100 / (end - start), 2),
            [said.get(name, NOTHING) for name in found],
        )
        for at, said in sorted(cells.items(), reverse=True)
    ]
    return rows, each_ms


def _row_ms(series: Points | Steps, span_ms: int) -> int:
    """A round time, or a multiple of the steps that the series comes in."""
    if isinstance(series, Steps):
        return series.step_ms * -(-span_ms // (TABLE_ROWS_MAX * series.step_ms))
    return step_ms_for(span_ms, TABLE_ROWS_MAX)


def _say_cell(unit: str, low: float, mean: float, high: float) -> str:
    text, lowest, highest = (say_value(unit, value) for value in (mean, low, high))
    return text if lowest == highest else f"{text} ({lowest} to {highest})"
