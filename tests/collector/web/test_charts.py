"""Lines, gaps, bands, labels: what is drawn of a series."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from collector.store import Points
from collector.web.catalog import Plan
from collector.web.charts import HEIGHT, LABEL_HEIGHT, TABLE_ROWS_MAX, Around, Chart, Work, draw, spread
from collector.web.thinning import steps_of
from collector.web.words import DAY_MS, HOUR_MS, Times, zone_named
from rules.model import Alert

NOW = 1_795_140_000_000  # Friday, 2026-11-20 02:00:00 UTC
TIMES = Times(zone_named("UTC"), NOW)
EVERY = 10_000


def points(values: list[float], until: int = NOW, every_ms: int = EVERY) -> Points:
    at = np.array([until - (len(values) - n) * every_ms for n in range(len(values))], dtype=np.int64)
    return Points(at, np.array(values, dtype=np.float64))


def chart(
    values: list[float], *, unit: str = "%", span_ms: int = HOUR_MS, alerts: list[Alert] | None = None
) -> Chart:
    plan = Plan("CPU", unit, [("cpu_used_pct", "used")])
    return draw(
        plan, {"cpu_used_pct": points(values)}, (NOW - span_ms, NOW), EVERY, Around(alerts or []), TIMES
    )


def drawn_around(values: list[float], around: Around, *, unit: str = "%") -> Chart:
    plan = Plan("CPU", unit, [("cpu_used_pct", "used")])
    return draw(plan, {"cpu_used_pct": points(values)}, (NOW - HOUR_MS, NOW), EVERY, around, TIMES)


def coordinates(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.e+-]+),(-?[\d.e+-]+)", path)]


def alert(**changed: object) -> Alert:
    given = {
        "id": 1,
        "rule": "cpu-high",
        "subject": "host:1/series:cpu_used_pct",
        "host": 1,
        "severity": "critical",
        "since": NOW - 600_000,
        "fired_at": NOW - 300_000,
        "summary": "cpu 97 % > 95 %",
        "incident": 1,
        "value": 97.0,
        "limit": 95.0,
    }
    return Alert(**(given | changed))  # type: ignore[arg-type]


def test_a_share_is_drawn_from_zero_at_the_floor_to_a_hundred_at_the_ceiling() -> None:
    (trace,) = chart([0.0, 50.0, 100.0]).traces
    assert [y for _, y in coordinates(trace.line)] == [HEIGHT, HEIGHT / 2, 0]


def test_the_newest_value_stands_at_the_end_of_its_line() -> None:
    (trace,) = chart([10.0, 80.0]).traces
    assert trace.newest == "80\N{NO-BREAK SPACE}%"
    assert trace.label_y == coordinates(trace.line)[-1][1]


def test_no_answer_breaks_the_line() -> None:
    (trace,) = chart([1.0, 2.0, float("nan"), 3.0, 4.0]).traces
    assert trace.line.count("M") == 2


def test_a_point_alone_between_two_gaps_is_a_dot() -> None:
    (trace,) = chart([1.0, float("nan"), 2.0, float("nan"), 3.0]).traces
    assert trace.line.count("h.1") == 3


def test_a_point_that_stands_for_many_has_a_band_behind_it() -> None:
    drawn = chart([1.0, 99.0] * 4_320, span_ms=DAY_MS)
    (trace,) = drawn.traces
    assert drawn.thinned == "5\N{NO-BREAK SPACE}min"
    heights = [y for _, y in coordinates(trace.band)]
    assert min(heights) < 0.02 * HEIGHT
    assert max(heights) > 0.98 * HEIGHT
    assert len(coordinates(trace.line)) <= 600


def test_steps_from_the_store_are_drawn_as_they_are_and_make_a_table() -> None:
    plan = Plan("CPU", "%", [("cpu_used_pct", "used")])
    steps = steps_of(points([10.0, 20.0, 30.0] * 2_880), 300_000)
    drawn = draw(plan, {"cpu_used_pct": steps}, (NOW - DAY_MS, NOW), EVERY, Around(), TIMES)
    (trace,) = drawn.traces
    assert len(coordinates(trace.line)) == 288
    assert drawn.rows_each == "20\N{NO-BREAK SPACE}min"
    assert len(drawn.rows) == 72
    assert drawn.rows[0].cells[0].replace("\N{NO-BREAK SPACE}", " ") == "20 % (10 % to 30 %)"


def test_few_points_have_no_band() -> None:
    (trace,) = chart([1.0, 99.0] * 100).traces
    assert trace.band == ""


def test_a_series_without_values_is_said_and_not_drawn() -> None:
    plan = Plan("Load", "", [("load1", "1 min"), ("load5", "5 min")])
    drawn = draw(
        plan, {"load1": points([1.0]), "load5": points([])}, (NOW - HOUR_MS, NOW), EVERY, Around(), TIMES
    )
    assert [trace.label for trace in drawn.traces] == ["1 min"]
    assert drawn.silent == ["5 min"]
    empty = draw(
        plan, {"load1": points([]), "load5": points([])}, (NOW - HOUR_MS, NOW), EVERY, Around(), TIMES
    )
    assert empty.traces == []
    assert empty.summary == "Load: no values in this time."


def test_the_limit_of_an_open_alert_is_drawn_where_it_lies_and_its_beginning_marked() -> None:
    drawn = chart([50.0] * 360, alerts=[alert()])
    (limit,), (bar,) = drawn.limits, drawn.bars
    assert limit.y == round(HEIGHT * 0.05, 1)
    assert limit.text == "limit 95\N{NO-BREAK SPACE}%"
    assert round(bar.x, 1) == round(100 * 50 / 60, 1)
    assert bar.end_x == 100
    assert bar.begins
    assert bar.text == "cpu 97 % > 95 %, since 01:50"


def test_an_alert_that_is_over_is_marked_from_its_beginning_to_its_end() -> None:
    over = alert(since=NOW - HOUR_MS // 2, resolved_at=NOW - HOUR_MS // 4)
    earlier = alert(since=NOW - 3 * HOUR_MS, resolved_at=NOW - 2 * HOUR_MS)
    cut = alert(since=NOW - 3 * HOUR_MS, resolved_at=NOW - HOUR_MS // 2)
    drawn = chart([50.0] * 360, alerts=[over, earlier, cut])
    assert [(bar.x, bar.end_x, bar.begins) for bar in drawn.bars] == [(50, 75, True), (0, 50, False)]
    assert drawn.bars[0].text.endswith("since 01:30 until 01:45")
    assert drawn.limits == [], "a limit was drawn that nothing crosses any more"


def test_work_is_marked_before_alerts() -> None:
    around = Around([alert()], works=[Work(NOW - HOUR_MS, NOW - HOUR_MS // 2, "New disks")])
    drawn = drawn_around([50.0] * 360, around)
    assert [bar.look for bar in drawn.bars] == ["work", "critical"]
    assert drawn.bars[0].text == "Maintenance: New disks, since 01:00 until 01:30"


def test_limits_of_the_rules_that_apply_are_drawn_though_nothing_crosses_them() -> None:
    known = Around(
        limits={"cpu_used_pct": [(80.0, "warning"), (95.0, "critical")], "load1": [(9.0, "warning")]}
    )
    drawn = drawn_around([12.0] * 360, known)
    assert [(limit.text, limit.severity) for limit in drawn.limits] == [
        ("limit 80\N{NO-BREAK SPACE}%", "warning"),
        ("limit 95\N{NO-BREAK SPACE}%", "critical"),
    ]
    assert drawn.y_ticks[-1][1] == "100\N{NO-BREAK SPACE}%"


def test_a_limit_far_beyond_what_is_measured_is_said_and_does_not_press_the_line_to_the_floor() -> None:
    known = Around(limits={"cpu_used_pct": [(1_000.0, "warning")]})
    drawn = drawn_around([1.0] * 360, known, unit="ms")
    assert drawn.limits == []
    assert drawn.beyond == "warning from 1\N{NO-BREAK SPACE}s on"
    assert drawn_around([500.0] * 360, known, unit="ms").beyond == ""


def test_a_limit_beyond_all_values_is_on_the_axis_too() -> None:
    drawn = chart([3.0] * 360, alerts=[alert(limit=20.0)])
    assert all(0 <= limit.y <= HEIGHT for limit in drawn.limits)


def test_an_alert_about_another_series_is_not_marked() -> None:
    drawn = chart([50.0] * 360, alerts=[alert(subject="host:1/series:load1"), alert(subject="host:1")])
    assert drawn.limits == []
    assert drawn.bars == []


def test_the_table_says_the_same_as_the_chart_the_newest_first() -> None:
    drawn = chart([10.0] * 354 + [20.0, 30.0, 40.0, 20.0, 30.0, 40.0])
    assert len(drawn.rows) == 60
    assert drawn.rows[0].at == "01:59"
    assert drawn.rows[0].cells == ["30\N{NO-BREAK SPACE}% (20\N{NO-BREAK SPACE}% to 40\N{NO-BREAK SPACE}%)"]
    assert drawn.rows[1].cells == ["10\N{NO-BREAK SPACE}%"]


def test_the_table_of_a_week_is_short() -> None:
    drawn = chart([10.0] * 60_480, span_ms=7 * DAY_MS)
    assert 40 < len(drawn.rows) <= TABLE_ROWS_MAX + 1


def test_a_chart_can_be_heard() -> None:
    summary = chart([10.0, 35.0, 20.0]).summary.replace("\N{NO-BREAK SPACE}", " ")
    assert summary == "CPU: used now 20 %, between 10 % and 35 %."


@given(st.lists(st.floats(0, HEIGHT), max_size=10))
def test_labels_never_cover_each_other(wanted: list[float]) -> None:
    placed = sorted(spread(wanted))
    assert len(placed) == len(wanted)
    assert all(below - above >= LABEL_HEIGHT - 0.11 for above, below in pairwise(placed))
    assert all(y <= HEIGHT for y in placed)


@given(st.lists(st.floats(-1e12, 1e12) | st.just(float("nan")), max_size=50))
def test_whatever_the_values_are_all_is_drawn_inside(values: list[float]) -> None:
    for trace in chart(values, unit="").traces:
        assert all(-1 <= x <= 1001 and -0.2 <= y <= HEIGHT + 0.2 for x, y in coordinates(trace.line))


@given(
    st.lists(st.floats(allow_infinity=True), min_size=1, max_size=40), st.sampled_from(["", "%", "B", "ms"])
)
@example([-1e308, 1e308], "")
@example([1e308] * 3, "%")
def test_whatever_number_a_host_sends_its_chart_can_be_drawn(values: list[float], unit: str) -> None:
    found = chart(values, unit=unit)
    for trace in found.traces:
        assert all(math.isfinite(y) for _, y in coordinates(trace.line))
        assert "inf" not in trace.line
        assert "nan" not in trace.line
