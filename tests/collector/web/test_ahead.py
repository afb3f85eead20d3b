"""What fills up, drawn with its past, the best guess and its range; and when that is, in words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store import Steps
from collector.web.ahead import Ahead, draw_ahead, drawn_ahead, say_on, say_when
from collector.web.charts import HEIGHT, WIDTH
from collector.web.words import DAY_MS, HOUR_MS, Times, zone_named
from rules.capacity.forecast import Forecast
from rules.capacity.report import Filling, HostReport
from rules.capacity.sizing import Size, Sizing
from tests.collector.web.site import NOW, Site

TIMES = Times(zone_named("UTC"), NOW)
SERIES = 'disk_used_pct{mount="/var"}'
RIGHT = Sizing("right", Size(4, 8), Size(4, 8), 0.0, "EUR", "it fits")


def filling(days: float | None, soonest: float | None, latest: float | None, level: float = 50.0) -> Filling:
    return Filling(
        SERIES, 100.0, Forecast("fills", "it will be", days, soonest, latest, level=level, per_day=1.5)
    )


def report(*fillings: Filling, host: int = 1) -> HostReport:
    return HostReport(host, f"db-{host}", NOW, fillings, RIGHT, ())


def past(*values: float, every_ms: int = HOUR_MS) -> Steps:
    """Up to now; NaN is a step in which nothing was answered."""
    at = NOW - every_ms * np.arange(len(values), 0, -1, dtype=np.int64)
    mean = np.array(values)
    return Steps(every_ms, at, mean - 1, mean + 1, mean, np.isfinite(mean).astype(np.int64))


def drawn(found: Filling, steps: Steps | None = None) -> Ahead:
    """Ten days of past and ten ahead."""
    return draw_ahead(report(found), found, steps, (NOW - 10 * DAY_MS, NOW + 10 * DAY_MS), TIMES)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("days", "soonest", "latest", "said", "on"),
    [
        (12.2, 9.6, 15.4, "12 days (10 to 15)", "about Wed 2 Dec, between 29 Nov and 5 Dec"),
        (1.5, 1.0, 2.0, "36 h (24 to 48)", "about Sat 14:00, between Sat 02:00 and Sun 02:00"),
        (40.0, 20.0, None, "40 days (20 or more)", "about Wed 30 Dec, not before 10 Dec"),
        (0.01, 0.0, 0.1, "14 min (0 to 144)", "about 02:14, between 02:00 and 04:24"),
        (0.09, 0.085, 0.1, "2 h", "about 04:09, between 04:02 and 04:24"),
        (0.0, 0.0, 0.0, "now", ""),
        (None, None, None, "", ""),
    ],
)
def test_when_something_is_full_is_said_with_its_range_and_its_day(
    days: float | None, soonest: float | None, latest: float | None, said: str, on: str
) -> None:
    found = filling(days, soonest, latest).forecast
    assert plain(say_when(found)) == said
    assert plain(say_on(found, NOW, TIMES)) == on


def test_the_guess_goes_from_now_to_the_limit_and_the_range_widens_around_it() -> None:
    found = drawn(filling(5.0, 2.5, 7.5))
    assert points(found.guess) == [(500.0, 80.0), (750.0, 0.0)]
    assert found.fan == "M500.0,80.0L625.0,0.0H875.0Z"
    assert (found.now_x, found.full_x, found.limit_y) == (500.0, 750.0, 0.0)


def test_a_range_without_an_end_goes_on_to_the_edge() -> None:
    found = drawn(filling(8.0, 4.0, None))
    assert found.fan == "M500.0,80.0L700.0,0.0H1000.0L1000,30.0Z"
    late = drawn(filling(8.0, 4.0, 40.0))
    assert late.fan == "M500.0,80.0L700.0,0.0H1000.0L1000,60.0Z"


def test_the_past_is_drawn_before_now_with_its_band_and_its_gaps() -> None:
    found = drawn(filling(5.0, 2.5, 7.5), past(40.0, 42.0, float("nan"), 44.0, 46.0))
    assert found.line.count("M") == 2
    assert max(x for x, _ in points(found.line)) < found.now_x
    assert found.band.count("Z") == 2


def test_what_is_full_already_has_a_past_and_no_guess() -> None:
    found = drawn(filling(0.0, 0.0, 0.0, level=100.0), past(98.0, 99.0, 100.0))
    assert (found.guess, found.fan, found.full_x) == ("", "", None)
    assert plain(found.summary) == "db-1, disk /var: 100 % now; full now."


def test_the_drawing_can_be_heard() -> None:
    said = plain(drawn(filling(5.0, 2.5, 7.5)).summary)
    assert said.startswith("db-1, disk /var: 50 % now, 1.5 % more a day; full in 5 days (2 to 8), ")
    assert said.endswith("about Wed 25 Nov, between 22 Nov and 27 Nov.")


@given(
    st.floats(0, 200), st.floats(0, 1), st.none() | st.floats(1, 50), st.floats(0, 120), st.floats(1e-3, 1e3)
)
def test_whatever_is_foretold_is_drawn_inside(
    days: float, soonest: float, latest: float | None, level: float, limit: float
) -> None:
    end = None if latest is None else days * latest
    found = Filling(
        SERIES, limit, Forecast("fills", "", days, days * soonest, end, level=level * limit / 100)
    )
    ahead = draw_ahead(
        report(found), found, None, (NOW - 10 * DAY_MS, NOW + round(2.2 * days * DAY_MS) + 1), TIMES
    )
    for x, y in points(ahead.fan + ahead.guess):
        assert -0.1 <= x <= WIDTH + 0.1
        assert -0.1 <= y <= HEIGHT + 0.1


async def test_a_host_page_shows_what_fills_up_beside_what_was(tmp_path: Path) -> None:
    async with Site(tmp_path) as site:
        host = await site.enrol("db-1")
        for hours in range(48, 0, -1):
            await site.send(host, {SERIES: 60.0 - hours / 4}, at=NOW - hours * HOUR_MS)
        await site.send(host, {SERIES: 60.0})
        page = await site.get(f"/hosts/{host.id}")
        assert "What fills up" not in page.text
        site.reports[host.id] = found = report(filling(10.0, 8.0, 12.0, level=60.0), host=host.id)
        page = await site.get(f"/hosts/{host.id}")
        assert "What fills up" in page.text
        assert "full in 10 days (8 to 12)" in page.text
        [past_line, guess] = [
            tag["d"] for tag in page.all("path") if tag.get("class") in ("line s1", "line guess s1")
        ][-2:]
        assert len(points(past_line)) > 12
        assert len(points(guess)) == 2
        [ahead] = await drawn_ahead(site.store.samples, [(found, found.fillings[0])], TIMES)
        assert ahead.what == "disk /var"
