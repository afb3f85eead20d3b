"""A month on paper: every millisecond in a class, each outage with its incident, what does not count and why."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.model import Alert, Incident
from rules.sla.model import CLASSES, Interval, ServiceOptions
from rules.sla.paper import as_csv, as_html
from rules.sla.periods import Period, month
from rules.sla.report import Report, report_of
from tests.rules.sla.house import DAY, HOUR, MIN, service

OCTOBER = month("2026-10")
NOW = OCTOBER.end + 5 * DAY
START = OCTOBER.start


def days(*given: tuple[float, str]) -> list[Interval]:
    """Intervals over October from (since which day on, class)."""
    edges = [round(since * DAY) for since, _ in given] + [31 * DAY]
    return [
        Interval(START + first, START + last, state, "" if state == "up" else f"{state} for a reason")  # type: ignore[arg-type]
        for (_, state), first, last in zip(given, edges[:-1], edges[1:], strict=True)
    ]


def reported(
    intervals: list[Interval], shop: ServiceOptions | None = None, now: int = NOW, **more: object
) -> Report:
    return report_of(shop or service(), OCTOBER, now, intervals, **{"incidents": [], "parts": [], **more})  # type: ignore[arg-type]


def test_all_of_a_month_is_accounted_for() -> None:
    report = reported(
        days((0, "up"), (3, "down"), (4, "degraded"), (6, "unknown"), (7, "maintenance"), (8, "up"))
    )
    assert report.tally.whole == OCTOBER.ms == 31 * DAY
    assert report.counted_ms == 29 * DAY
    assert report.availability_pct == pytest.approx(100 * 28 / 29)
    assert report.accounts == (
        f"{26 * DAY:,} up + {2 * DAY:,} degraded + {DAY:,} down + {DAY:,} maintenance + {DAY:,} unknown "
        "= 2,678,400,000 ms, the whole window to the millisecond."
    )


@given(st.lists(st.tuples(st.integers(1, 31 * DAY - 1), st.sampled_from(CLASSES)), max_size=30))
def test_whatever_a_month_was_its_rows_add_up(changes: list[tuple[int, str]]) -> None:
    changes = sorted(dict(changes).items())
    report = reported(days((0, "up"), *[(at / DAY, state) for at, state in changes]))
    assert report.tally.whole == sum(one.ms for one in report.intervals) == OCTOBER.ms
    rows = list(csv.DictReader(as_csv(report).splitlines()))
    assert sum(int(row["ms"]) for row in rows) == OCTOBER.ms
    for name in CLASSES:
        assert sum(int(row["ms"]) for row in rows if row["class"] == name) == getattr(report.tally, name)


def test_intervals_with_a_hole_make_no_report() -> None:
    rows = days((0, "up"), (3, "down"), (4, "up"))
    for wrong in ([rows[0], rows[2]], rows[1:], [*rows, replace(rows[2], start=OCTOBER.end, end=NOW)]):
        with pytest.raises(ValueError, match=r"hole or an overlap|beyond the period"):
            reported(wrong)


def test_what_does_not_count_is_told_by_reason() -> None:
    rows = days((0, "unknown"), (1, "up"), (2, "maintenance"), (4, "up"), (5, "unknown"), (6, "up"))
    assert [(one.state, one.ms, one.times) for one in reported(rows).excluded] == [
        ("maintenance", 2 * DAY, 1),
        ("unknown", 2 * DAY, 2),
    ]
    strict = reported(rows, service(unknown="down"))
    assert [one.state for one in strict.excluded] == ["maintenance"]
    assert [one.ms for one in strict.outages] == [DAY, DAY]


def test_a_month_that_goes_on_is_reported_so_far() -> None:
    now = START + 10 * DAY
    report = reported([Interval(START, now, "up")], now=now)
    assert (report.until, report.tally.whole) == (now, 10 * DAY)
    assert report.budget is not None
    assert report.budget.counted_ms == 31 * DAY
    assert ", so far" in as_html(report)


# --- outages and incidents --------------------------------------------------------------------------------------------

WENT_DOWN = START + 3 * DAY
SERIES = 'check_state{check="web",kind="http"}'


def alert(
    number: int, incident: int, subject: str, since: int = WENT_DOWN, until: int | None = None
) -> Alert:
    host = int(subject.partition("/")[0].removeprefix("host:")) if subject.startswith("host:") else 0
    return Alert(number, "r", subject, host, "critical", since, since, "s", incident, resolved_at=until)


def incident(number: int, title: str = "it is down") -> Incident:
    return Incident(number, "k", title, "critical", WENT_DOWN)


@pytest.mark.parametrize(
    ("subjects", "found", "sentence"),
    [
        ({4: f"host:1/series:{SERIES}"}, 4, "the very check"),
        ({4: "host:1"}, 4, "the host that asks is not heard"),
        ({4: 'host:1/series:disk_used_pct{mount="/"}'}, None, "something else about that host"),
        ({4: f"host:2/series:{SERIES}"}, None, "the same check from a host that is no part of it"),
        ({4: 'host:1/series:check_state{check="api",kind="http"}'}, None, "another check of that host"),
        ({4: "host:9"}, 9, "a host that is a part itself"),
        ({4: "check:web"}, 4, "the check, judged over all hosts that run it"),
        ({4: "check:api"}, None, "another one that many hosts run"),
        ({}, None, "nobody had an incident"),
    ],
)
def test_an_outage_is_told_with_the_incident_about_one_of_its_parts(
    subjects: dict[int, str], found: int | None, sentence: str
) -> None:
    about = [(incident(number), [alert(1, number, subject)]) for number, subject in subjects.items()]
    report = reported(days((0, "up"), (3, "down"), (4, "up")), incidents=about, parts=[(1, "web"), (9, None)])
    (outage,) = report.outages
    assert (outage.incident is not None) == (found is not None), sentence


def test_of_two_incidents_the_one_that_was_open_for_longer() -> None:
    subject = f"host:1/series:{SERIES}"
    about = [
        (incident(4), [alert(1, 4, subject, WENT_DOWN, WENT_DOWN + HOUR)]),
        (incident(5), [alert(2, 5, subject, WENT_DOWN + HOUR)]),
        (incident(6), [alert(3, 6, subject, WENT_DOWN - 9 * DAY, WENT_DOWN)]),
    ]
    report = reported(days((0, "up"), (3, "down"), (4, "up")), incidents=about, parts=[(1, "web")])
    assert report.outages[0].incident == 5


def test_a_person_may_have_said_that_the_service_is_touched() -> None:
    touched = replace(incident(7), services=("mail", "shop"))
    elsewhere = replace(incident(8), services=("mail",))
    report = reported(days((0, "up"), (3, "down"), (4, "up")), incidents=[(elsewhere, []), (touched, [])])
    assert report.outages[0].incident == 7


def test_causes_that_follow_each_other_are_one_outage() -> None:
    rows = [
        Interval(START, WENT_DOWN, "up"),
        Interval(WENT_DOWN, WENT_DOWN + MIN, "down", "a is bad"),
        Interval(WENT_DOWN + MIN, WENT_DOWN + 2 * MIN, "down", "a is bad; b is bad", repaired=True),
        Interval(WENT_DOWN + 2 * MIN, OCTOBER.end, "up"),
    ]
    (outage,) = reported(rows).outages
    assert (outage.ms, outage.cause, outage.repaired) == (2 * MIN, "a is bad; b is bad", True)


# --- on paper ---------------------------------------------------------------------------------------------------------


def test_a_page_has_it_all_and_loads_nothing() -> None:
    shop = service(title="Shop & <b>Co</b>", zone="Europe/Paris")
    about = [(incident(4, "web <down>"), [alert(1, 4, f"host:1/series:{SERIES}")])]
    rows = days((0, "up"), (3, "down"), (4, "maintenance"), (5, "up"))
    page = as_html(reported(rows, shop, incidents=about, parts=[(1, "web")]))
    for part in (
        "Shop &amp; &lt;b&gt;Co&lt;/b&gt;",
        "#4 web &lt;down&gt;",
        "maintenance for a reason",
        "2,678,400,000 ms, the whole window to the millisecond.",
        "2026-10-04 02:00:00",
    ):
        assert part in page
    assert "<script" not in page
    assert "http" not in page.replace("https", "http").partition("<body>")[0]


def test_a_table_is_no_formula() -> None:
    rows = [Interval(START, START + DAY, "down", "=1+1 is bad"), Interval(START + DAY, OCTOBER.end, "up")]
    row = next(csv.DictReader(as_csv(reported(rows)).splitlines()))
    assert row["cause"] == "'=1+1 is bad"
    assert (row["from"], row["until"]) == ("2026-10-01T00:00:00.000Z", "2026-10-02T00:00:00.000Z")


def test_a_month_in_a_place_begins_at_its_midnight() -> None:
    paris = month("2026-10", "Europe/Paris")
    rows = [Interval(paris.start, paris.end, "up")]
    report = report_of(service(zone="Europe/Paris"), paris, NOW, rows, [], [])
    assert isinstance(paris, Period)
    assert (report.tally.up, "2026-10-01 00:00:00" in as_html(report)) == (31 * DAY + HOUR, True)
