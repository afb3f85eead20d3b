"""What the status page may say to anybody."""

from __future__ import annotations

import msgspec
import pytest

from collector.store import DAY_MS, Latest
from collector.store.promises import Day
from collector.web.public import (
    DAYS,
    PublicService,
    PublicState,
    PublicStatus,
    available,
    public_day,
    public_incidents,
    public_service,
    public_status,
    public_systems,
    public_works,
)
from rules.model import Alert, Host, Incident, Remark, Severity
from rules.sla.model import Class, HostPart, ServiceOptions, Tally

NOW = 1_795_140_000_000
SECRET = "SECRET-NAME"
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def host(number: int, seen_ms: int | None = 3_000) -> Latest:
    return Latest(
        Host(number, f"{SECRET}-{number}", {SECRET: SECRET}, arrived_at=seen_ms and NOW - seen_ms),
        [SECRET],
        [1.0],
    )


def trouble(on: int, severity: Severity) -> tuple[Incident, Alert]:
    since = NOW - 600_000
    return (
        Incident(on, f"host:{on}", f"{SECRET} is bad", severity, since),
        Alert(on, SECRET, f"host:{on}", on, severity, since, since, SECRET, on),
    )


def service(name: str, state: PublicState = "good") -> PublicService:
    return PublicService(name, name.title(), state, "100.000 %", ())


def told(latests: list[Latest], *troubles: tuple[Incident, Alert]) -> PublicStatus:
    incidents, alerts = [one for one, _ in troubles], [one for _, one in troubles]
    return public_status("Status", [], [], [], public_systems(latests, incidents, alerts, NOW), NOW)


# --- the banner -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("services", "announced", "headline"),
    [
        (["good", "good"], None, "All systems work"),
        (["good", "maintenance"], None, "Work is under way, as announced"),
        (["maintenance", "unknown"], None, "Of some systems nothing is known at the moment"),
        (["unknown", "degraded"], None, "Some systems are degraded"),
        (["degraded", "bad"], None, "Some systems do not work"),
        (["good"], "warning", "Some systems are degraded"),
        (["good"], "critical", "Some systems do not work"),
        ([], None, "Nothing is watched yet"),
    ],
)
def test_the_banner_is_the_worst_that_is_told(
    services: list[PublicState], announced: Severity | None, headline: str
) -> None:
    incidents = []
    if announced is not None:
        incident = Incident(1, "host:1", SECRET, announced, NOW - HOUR_MS)
        update = Remark(1, NOW, "ada", "published", "We look into it")
        incidents = public_incidents([incident], [update], {}, NOW)
    page = public_status("Status", [service("shop", one) for one in services], incidents, [], None, NOW)
    assert page.headline == headline


@pytest.mark.parametrize(
    ("severities", "seen_ms", "state", "headline"),
    [
        ([], [3_000, 3_000], "good", "All systems work"),
        (["info"], [3_000, 3_000], "good", "All systems work"),
        (["warning"], [3_000, 3_000], "degraded", "Some systems are degraded"),
        (["warning", "critical"], [3_000, 3_000], "bad", "Some systems do not work"),
        ([], [3_000, 3_600_000], "unknown", "Of some systems nothing is known at the moment"),
        ([], [3_600_000, 3_600_000], "unknown", "Of some systems nothing is known at the moment"),
        (["critical"], [None, None], "unknown", "Of some systems nothing is known at the moment"),
        ([], [], "unknown", "Nothing is watched yet"),
    ],
)
def test_without_services_the_banner_is_the_worst_of_the_hosts(
    severities: list[Severity], seen_ms: list[int | None], state: str, headline: str
) -> None:
    latests = [host(number, ms) for number, ms in enumerate(seen_ms, start=1)]
    page = told(latests, *(trouble(number, severity) for number, severity in enumerate(severities, start=1)))
    assert (page.state, page.headline) == (state, headline)


def test_a_host_that_was_stopped_as_planned_is_none_of_the_systems() -> None:
    stopped = host(2, 86_400_000)
    stopped.host.flags = ("shutdown",)
    systems = public_systems([host(1), stopped], [], [], NOW)
    assert (systems.systems, systems.unknown, systems.state) == (1, 0, "good")


def test_a_service_that_posts_metrics_is_no_system_of_its_own_but_its_trouble_is_told() -> None:
    shop = host(2, 86_400_000)
    shop.host.name = "service:shop"
    assert public_systems([host(1), shop], [], [], NOW).systems == 1
    incident, alert = trouble(2, "critical")
    systems = public_systems([host(1), shop], [incident], [alert], NOW)
    assert (systems.state, systems.troubled) == ("bad", 0)


def test_each_system_is_counted_once() -> None:
    troubles = [trouble(1, "critical"), trouble(4, "critical")]
    systems = public_systems(
        [host(1), host(2), host(3), host(4, None)],
        [one for one, _ in troubles],
        [one for _, one in troubles],
        NOW,
    )
    assert (systems.systems, systems.working, systems.troubled, systems.unknown) == (4, 2, 1, 1)


def test_no_name_label_or_word_of_an_alert_is_in_it() -> None:
    page = told([host(1), host(2)], trouble(1, "critical"))
    assert SECRET.encode() not in msgspec.json.encode(page)


def test_it_is_the_same_for_as_long_as_a_minute() -> None:
    pages = [
        public_status("Status", [service("shop")], [], [], None, NOW - NOW % MINUTE_MS + at)
        for at in (0, 59_999, 60_000)
    ]
    assert pages[0] == pages[1] != pages[2]


# --- days -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tally", "state"),
    [
        pytest.param(None, "unknown", id="a day of which nothing is written down"),
        pytest.param(Tally(), "unknown", id="nor of this"),
        pytest.param(Tally(up=DAY_MS), "good", id="all of it well"),
        pytest.param(
            Tally(up=DAY_MS - 59_999, down=59_999), "good", id="less than a minute matters to nobody"
        ),
        pytest.param(Tally(up=DAY_MS - 60_000, down=60_000), "bad", id="a minute without it does"),
        pytest.param(Tally(up=1, degraded=HOUR_MS, down=HOUR_MS), "bad", id="the worst gives its name"),
        pytest.param(
            Tally(up=HOUR_MS, degraded=HOUR_MS, unknown=22 * HOUR_MS), "degraded", id="slow is known"
        ),
        pytest.param(Tally(up=11 * HOUR_MS, unknown=13 * HOUR_MS), "unknown", id="most of it unknown"),
        pytest.param(Tally(up=13 * HOUR_MS, unknown=11 * HOUR_MS), "good", id="less than half unknown"),
        pytest.param(Tally(up=20 * HOUR_MS, maintenance=4 * HOUR_MS), "maintenance", id="as announced"),
        pytest.param(
            Tally(up=HOUR_MS, outside=23 * HOUR_MS), "good", id="well in the hours that are promised"
        ),
    ],
)
def test_a_day_is_called_by_the_worst_that_mattered(tally: Tally | None, state: str) -> None:
    day = public_day(0, tally)
    assert day.state == state
    assert day.known == bool(tally and tally.whole)


@pytest.mark.parametrize(
    ("pct", "shown"),
    [(100.0, "100.000 %"), (99.9999, "99.999 %"), (99.953, "99.953 %"), (0.0, "0.000 %"), (None, "–")],
)
def test_availability_has_three_decimals_and_is_never_rounded_up(pct: float | None, shown: str) -> None:
    assert available(pct) == shown


@pytest.mark.parametrize(
    ("state", "told"),
    [("up", "good"), ("degraded", "degraded"), ("down", "bad"), ("maintenance", "maintenance"),
     ("unknown", "unknown"), ("outside", "good")],
)  # fmt: skip
def test_a_service_has_ninety_days_and_its_availability_is_over_the_same(state: Class, told: str) -> None:
    shop = ServiceOptions(name="shop", title="The shop", hosts=HostPart(where={SECRET: SECRET}))
    today = NOW // DAY_MS * DAY_MS
    days = [Day("shop", today, up=3 * HOUR_MS, down=HOUR_MS), Day("shop", today - 90 * DAY_MS, down=DAY_MS)]
    shown = public_service(shop, state, days, NOW)
    assert (shown.title, shown.state, shown.available) == ("The shop", told, "75.000 %")
    assert len(shown.days) == DAYS
    assert [day.start for day in shown.days if day.known] == [today]
    assert SECRET.encode() not in msgspec.json.encode(shown)


# --- incidents and work -----------------------------------------------------------------------------------------------


def published(incident: int, at: int, text: str) -> Remark:
    return Remark(incident, at, "ada", "published", text)


def test_an_incident_is_told_by_what_a_person_wrote_for_everybody_and_by_nothing_else() -> None:
    incident = Incident(7, "host:1", SECRET, "critical", NOW - HOUR_MS, services=("shop", "inner"))
    updates = [
        Remark(7, NOW, "ada", "note", SECRET),
        published(7, NOW - 1, "It is mended"),
        published(7, NOW - 2, "Orders are slow\nWe look into it.\x07"),
    ]
    [shown] = public_incidents([incident], updates, {"shop": "The shop"}, NOW)
    assert (shown.heading, shown.services) == ("Orders are slow", ("The shop",))
    assert [update.text for update in shown.updates] == ["It is mended", "We look into it."]
    assert SECRET.encode() not in msgspec.json.encode(shown)


def test_what_nobody_announced_is_not_told() -> None:
    incident, _ = trouble(1, "critical")
    assert public_incidents([incident], [Remark(1, NOW, "ada", "note", "hm")], {}, NOW) == []


def test_an_incident_that_is_long_over_is_not_told_any_more() -> None:
    incidents = [
        Incident(1, "host:1", SECRET, "warning", 0, resolved_at=NOW - DAYS * DAY_MS - 1),
        Incident(2, "host:1", SECRET, "warning", 0, resolved_at=NOW - DAYS * DAY_MS),
        Incident(3, "host:1", SECRET, "warning", 0),
    ]
    updates = [published(number, 1, "Slow") for number in (1, 2, 3)]
    assert [one.id for one in public_incidents(incidents, updates, {}, NOW)] == [3, 2]


def test_work_on_several_services_is_announced_once() -> None:
    spans = {"shop": [(10, 20), (10, 20), (30, 40)], "site": [(10, 20)]}
    works = public_works(spans, {"shop": "The shop", "site": "Site"})
    assert [(work.services, work.start, work.end) for work in works] == [
        (("The shop", "Site"), 10, 20),
        (("The shop",), 30, 40),
    ]
