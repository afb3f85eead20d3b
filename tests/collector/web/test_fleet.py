"""What the overview says of hosts and problems."""

from __future__ import annotations

import math

import pytest

from collector.store import Latest
from collector.web.fleet import HOSTS_PER_PAGE, PROBLEMS_MAX, Overview, Question, Sum, overview
from collector.web.words import Times, zone_named
from rules.model import Alert, Host, Incident, Severity

NOW = 1_795_140_000_000  # Friday, 2026-11-20 02:00:00 UTC
MINUTE = 60_000
TIMES = Times(zone_named("UTC"), NOW)


def host(number: int, name: str = "", seen_s: float | None = 3, **labels: str) -> Latest:
    heard = None if seen_s is None else NOW - int(seen_s * 1000)
    values = {} if heard is None else {"cpu_used_pct": 12.4, "memory_used_pct": 61.0, "load1": 0.4}
    known = Host(number, name or f"host-{number}", labels, arrived_at=heard, last_at=heard)
    return saying(Latest(known), values)


def saying(latest: Latest, values: dict[str, float]) -> Latest:
    """The host when its batch says this besides."""
    values = latest.values | values
    return Latest(latest.host, list(values), list(values.values()))


def alert(number: int, on: int, severity: Severity = "warning", series: str = "", incident: int = 0) -> Alert:
    subject = f"host:{on}/series:{series}" if series else f"host:{on}"
    since = NOW - 38 * MINUTE
    return Alert(number, "rule", subject, on, severity, since, since, "it is bad", incident or number)


def incident(
    number: int, on: int, severity: Severity = "warning", *, since_min: int = 38, by: str = "", key: str = ""
) -> Incident:
    return Incident(
        number,
        key or f"host:{on}/series:cpu_used_pct",
        f"host-{on}: it is bad",
        severity,
        NOW - since_min * MINUTE,
        acknowledged_at=NOW if by else None,
        acknowledged_by=by,
    )


def look(
    latests: list[Latest],
    incidents: list[Incident] | None = None,
    alerts: list[Alert] | None = None,
    **asked: object,
) -> Overview:
    return overview(latests, incidents or [], alerts or [], Question(**asked), TIMES)  # type: ignore[arg-type]


def said(seen: Overview) -> str:
    return " · ".join(seen.sum.parts).replace("\N{NO-BREAK SPACE}", " ")


def states(seen: Overview) -> dict[str, str]:
    return {row.name: row.word for group in seen.groups for row in group.rows}


def test_the_sum_is_one_line() -> None:
    latests = [host(1), host(2), host(3), host(4, seen_s=3600)]
    seen = look(
        latests,
        [incident(1, on=1, severity="critical")],
        [alert(1, on=1, series="cpu_used_pct", severity="critical")],
    )
    assert said(seen) == "1 problem · 2 of 4 hosts fine · 1 unknown"
    assert seen.sum.shape == "critical"


def test_when_all_is_well_the_sum_says_that_and_no_more() -> None:
    assert said(look([host(1), host(2)])) == "No problems · all 2 hosts fine"
    assert said(look([host(1)])) == "No problems · the one host is fine"
    assert said(look([])) == "No host yet"
    assert look([host(1)]).sum.shape == "up"


def test_a_fleet_of_which_nothing_is_heard_is_not_green() -> None:
    assert look([host(1, seen_s=None)]).sum.shape == "unknown"
    assert look([]).sum.shape == "unknown"


@pytest.mark.parametrize(
    ("seen_s", "word"), [(0.5, "up"), (30, "up"), (31, "silent"), (86_400, "silent"), (None, "never heard")]
)
def test_a_host_is_silent_after_three_of_its_intervals(seen_s: float | None, word: str) -> None:
    assert states(look([host(1, seen_s=seen_s)])) == {"host-1": word}


@pytest.mark.parametrize(
    ("bye", "seen_s", "word"),
    [
        ("shutdown", 1, "stopped (planned)"),
        ("shutdown", 86_400, "stopped (planned)"),
        ("uninstall", 1, "stopped (planned)"),
        ("restart", 1, "restarting"),
        ("restart", 300, "restarting"),
        ("restart", 301, "silent"),
    ],
)
def test_a_host_that_said_bye_is_grey_and_says_why(bye: str, seen_s: float, word: str) -> None:
    stopped = host(1, seen_s=seen_s)
    stopped.host.flags = (bye,)
    seen = look([stopped, host(2)])
    assert (states(seen)["host-1"], seen.groups[0].rows[0].mark_look) == (word, "mark unknown")
    apart = "1 stopped" if "stopped" in word else "1 unknown"
    assert said(seen) == f"No problems · 1 of 2 hosts fine · {apart}"
    assert seen.sum.shape == ("up" if "stopped" in word else "unknown")


def test_silence_is_grey_whatever_was_known_before_it() -> None:
    seen = look([host(1, seen_s=600)], [incident(1, on=1)], [alert(1, on=1, series="cpu_used_pct")])
    (row,) = seen.groups[0].rows
    assert row.word == "silent"
    assert row.mark_look == "mark unknown"
    assert row.stale


def test_a_silent_hosts_own_incident_is_unknown_and_others_keep_their_severity() -> None:
    latests = [host(1, seen_s=600), host(2)]
    incidents = [incident(1, on=1, severity="critical", key="host:1"), incident(2, on=2, severity="critical")]
    problems = look(latests, incidents, [alert(1, on=1), alert(2, on=2)]).problems
    assert [(problem.mark.shape, problem.mark.word) for problem in problems] == [
        ("unknown", "silent"),
        ("critical", "critical"),
    ]


def test_a_host_with_a_warning_works_all_the_same() -> None:
    def sum_of(**given: int) -> str:
        return " · ".join(Sum("warning", **given).parts).replace("\N{NO-BREAK SPACE}", " ")

    assert (
        sum_of(problems=1, hosts=3, fine=2, unknown=0, warned=1)
        == "1 problem · all 3 hosts work · 1 with a warning"
    )
    assert (
        sum_of(problems=2, hosts=4, fine=1, unknown=1, warned=1)
        == "2 problems · 2 of 4 hosts work · 1 with a warning · 1 unknown"
    )
    assert (
        sum_of(problems=1, hosts=1, fine=0, unknown=0, warned=1)
        == "1 problem · the one host works · 1 with a warning"
    )


def test_the_last_hour_takes_the_place_of_a_bar_where_it_is_known() -> None:
    seen = look([host(1), host(2)])
    drawn = overview(
        [host(1), host(2)], [], [], Question(), TIMES, lambda number: "M0 1L1 2" if number == 1 else ""
    )
    (first, second), (before, _) = drawn.groups[0].rows, seen.groups[0].rows
    assert (first.cpu_line, second.cpu_line) == ("M0 1L1 2", "")
    assert first.cpu == before.cpu
    assert first.cpu_look == before.cpu_look.rpartition(" p")[0]


def test_information_is_listed_and_the_host_is_fine() -> None:
    own = alert(1, on=1, series="cpu_used_pct", severity="info")
    seen = look([host(1)], [incident(1, on=1, severity="info")], [own])
    assert said(seen) == "1 problem · the one host is fine"
    assert seen.problems[0].mark.shape == "info"


def test_the_gravest_comes_first_then_the_newest_and_what_is_acknowledged_sinks() -> None:
    incidents = [
        incident(1, on=1, severity="critical", by="Ada"),
        incident(2, on=1, since_min=5),
        incident(3, on=1, since_min=50),
        incident(4, on=1, severity="critical"),
    ]
    seen = look([host(1)], incidents)
    assert [problem.id for problem in seen.problems] == [4, 2, 3, 1]
    assert seen.problems[-1].acknowledged == "acknowledged by Ada"
    assert seen.problems[-1].mark.look == "mark critical taken"


def test_a_problem_says_where_what_and_since_when_and_the_host_only_once() -> None:
    (problem,) = look([host(1)], [incident(1, on=1, since_min=1)], [alert(7, on=1, incident=1)]).problems
    assert problem.host == (1, "host-1")
    assert problem.title == "it is bad"
    assert (problem.since, problem.lasted.replace("\N{NO-BREAK SPACE}", " ")) == ("01:22", "38 min")


def test_a_problem_counts_the_other_hosts_it_takes_down() -> None:
    latests = [host(1), host(2), host(3)]
    alerts = [
        alert(1, on=1),
        alert(2, on=2, incident=1),
        alert(3, on=3, incident=1),
        alert(4, on=3, incident=1),
    ]
    (problem,) = look(latests, [incident(1, on=1, key="host:1")], alerts).problems
    assert problem.other_hosts == 2


def test_a_problem_of_a_host_that_is_gone_is_shown_without_it() -> None:
    (problem,) = look([host(1)], [incident(1, on=9)], [alert(1, on=9)]).problems
    assert problem.host is None
    assert problem.title == "host-9: it is bad"


def test_a_storm_is_cut_and_counted() -> None:
    seen = look([host(1)], [incident(n, on=1) for n in range(1, PROBLEMS_MAX + 51)])
    assert (len(seen.problems), seen.problems_left_out, seen.sum.problems) == (
        PROBLEMS_MAX,
        50,
        PROBLEMS_MAX + 50,
    )


def test_only_the_meter_that_an_alert_is_about_has_a_colour() -> None:
    latest = saying(host(1), {'disk_used_pct{mount="/var"}': 97.0})
    series = 'disk_used_pct{mount="/var"}'
    seen = look([latest], [incident(1, on=1)], [alert(1, on=1, severity="critical", series=series)])
    (row,) = seen.groups[0].rows
    assert row.disk_look == "meter critical p96"
    assert row.cpu_look.split() == ["meter", "p12"]


def test_the_fullest_disk_is_the_one_that_is_shown() -> None:
    mounts = {"/": 41.0, "/v a{r}": 96.4, "/mnt/gone": math.nan, '/say \\"hi\\"': 12.0}
    latest = saying(host(1), {f'disk_used_pct{{mount="{mount}"}}': full for mount, full in mounts.items()})
    (row,) = look([latest]).groups[0].rows
    assert (row.disk.replace("\N{NO-BREAK SPACE}", " "), row.mount) == ("96 %", "/v a{r}")


def test_what_gave_no_answer_is_a_dash_and_is_counted() -> None:
    unanswered = {"cpu_used_pct": math.nan, 'check_state{check="web",kind="http"}': math.nan}
    latest = saying(host(1), unanswered)
    (row,) = look([latest]).groups[0].rows
    assert (row.cpu, row.cpu_look, row.load) == ("–", "meter", "0.40")
    assert row.note.replace("\N{NO-BREAK SPACE}", " ") == "1 check without answer"


def test_oddities_of_a_host_are_named() -> None:
    latest = host(1)
    latest.host.flags = ("clock", "series")
    assert look([latest]).groups[0].rows[0].note == "clock is off, too many series"
    latest.host.flags = ("names", "churn", "cloned")
    assert look([latest]).groups[0].rows[0].note == (
        "its series change all the time, names that are none, two agents push as it"
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["db-1", "web-1", "web-2"]),
        ("web", ["web-1", "web-2"]),
        ("WEB fra", ["web-1"]),
        ("role=db", ["db-1"]),
        ("  ", ["db-1", "web-1", "web-2"]),
        ("nothing", []),
    ],
)
def test_hosts_are_found_by_name_and_label(text: str, names: list[str]) -> None:
    latests = [
        host(1, "db-1", role="db", site="ams"),
        host(2, "web-1", role="web", site="fra"),
        host(3, "web-2", role="web", site="ams"),
    ]
    assert sorted(states(look(latests, text=text))) == names


def test_the_filter_hides_no_problem() -> None:
    seen = look([host(1)], [incident(1, on=1)], text="nothing")
    assert seen.groups == []
    assert len(seen.problems) == 1


def test_hosts_are_grouped_by_a_label_and_those_without_it_come_last() -> None:
    latests = [host(1, role="web"), host(2), host(3, role="db", seen_s=600), host(4, role="web")]
    groups = look(latests, group="role").groups
    assert [(group.label, group.value, [row.id for row in group.rows]) for group in groups] == [
        ("role", "db", [3]),
        ("role", "web", [1, 4]),
        ("no role", "", [2]),
    ]
    assert groups[0].sum.replace("\N{NO-BREAK SPACE}", " ") == "1 host · 1 unknown"


def test_the_labels_to_group_by_are_those_that_hosts_have_the_commonest_first() -> None:
    assert look([host(1, role="web", site="a"), host(2, site="b")]).labels == ["site", "role"]


def test_a_large_fleet_comes_page_by_page_and_is_counted_whole() -> None:
    latests = [host(n) for n in range(HOSTS_PER_PAGE * 2 + 1)]
    seen = look(latests, page=3)
    assert (seen.page, seen.pages, len(seen.groups[0].rows)) == (3, 3, 1)
    assert seen.sum.hosts == HOSTS_PER_PAGE * 2 + 1
    assert look(latests, page=99).page == 3


def test_a_label_of_which_every_host_has_its_own_value_does_not_make_thousands_of_headings() -> None:
    seen = look([host(n, serial=f"{n:04}") for n in range(900)], group="serial")
    assert len(seen.groups) <= 201
    assert sum(len(group.rows) for group in seen.groups) == HOSTS_PER_PAGE


def test_a_service_stands_apart_from_the_hosts_and_its_problems_are_told() -> None:
    values = {"orders_count": 3.0, 'took_ms_bucket{upto="1.1"}': 1.0}
    shop = Latest(Host(7, "service:shop", {"service": "shop"}, arrived_at=NOW, last_at=NOW), values)
    quiet = Latest(Host(8, "service:old", {}, arrived_at=NOW - 60 * MINUTE, last_at=NOW - 60 * MINUTE), {})
    own = incident(1, 7, key='host:7/series:took_ms{quantile="0.95"}')
    seen = look([host(1), shop, quiet], [own], [alert(1, 7, series="took_ms")])
    assert said(seen) == "1 problem · the one host is fine"
    assert list(states(seen)) == ["host-1"]
    assert [(row.name, row.mark.word, row.series) for row in seen.services] == [
        ("shop", "warning", 1),
        ("old", "quiet", 0),
    ]
    assert seen.problems[0].host == (7, "service:shop")
    assert not any(row.label == "service" for row in seen.groups)
    assert seen.labels == []
