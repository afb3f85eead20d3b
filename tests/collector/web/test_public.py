"""What the status page may say to anybody."""

from __future__ import annotations

import msgspec
import pytest

from collector.store import Latest
from collector.web.public import Status, status
from rules.model import Alert, Host, Incident, Severity

NOW = 1_795_140_000_000
SECRET = "SECRET-NAME"


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


def told(latests: list[Latest], *troubles: tuple[Incident, Alert]) -> Status:
    return status(latests, [incident for incident, _ in troubles], [alert for _, alert in troubles], NOW)


@pytest.mark.parametrize(
    ("severities", "seen_ms", "state", "headline"),
    [
        ([], [3_000, 3_000], "good", "All systems work"),
        (["info"], [3_000, 3_000], "good", "All systems work"),
        (["warning"], [3_000, 3_000], "degraded", "Some systems are degraded"),
        (["warning", "critical"], [3_000, 3_000], "bad", "Some systems do not work"),
        ([], [3_000, 3_600_000], "unknown", "Nobody knows at the moment"),
        ([], [3_600_000, 3_600_000], "unknown", "Nobody knows at the moment"),
        (["critical"], [None, None], "unknown", "Nobody knows at the moment"),
        ([], [], "unknown", "Nothing is watched yet"),
    ],
)
def test_the_banner_is_the_worst_there_is(
    severities: list[Severity], seen_ms: list[int | None], state: str, headline: str
) -> None:
    latests = [host(number, ms) for number, ms in enumerate(seen_ms, start=1)]
    page = told(latests, *(trouble(number, severity) for number, severity in enumerate(severities, start=1)))
    assert (page.state, page.headline) == (state, headline)


def test_a_host_that_was_stopped_as_planned_is_none_of_the_systems() -> None:
    stopped = host(2, 86_400_000)
    stopped.host.flags = ("shutdown",)
    page = told([host(1), stopped])
    assert (page.systems, page.unknown, page.headline) == (1, 0, "All systems work")


def test_a_service_that_posts_metrics_is_no_system_of_its_own_but_its_trouble_is_told() -> None:
    shop = host(2, 86_400_000)
    shop.host.name = "service:shop"
    assert told([host(1), shop]).systems == 1
    page = told([host(1), shop], trouble(2, "critical"))
    assert (page.state, page.troubled, page.incidents_open) == ("bad", 0, 1)


def test_each_system_is_counted_once() -> None:
    page = told([host(1), host(2), host(3), host(4, None)], trouble(1, "critical"), trouble(4, "critical"))
    assert (page.systems, page.working, page.troubled, page.unknown) == (4, 2, 1, 1)
    assert page.incidents_open == 2


def test_no_name_label_or_word_of_an_alert_is_in_it() -> None:
    page = told([host(1), host(2)], trouble(1, "critical"))
    assert SECRET.encode() not in msgspec.json.encode(page)
