"""What counts as beyond a limit, where a limit is left, and what may not be written."""

from __future__ import annotations

import math

import pytest

from rules.kinds import NEVER_CALM
from rules.model import RuleState, Series
from tests.rules.house import limit

BOTH = {"warning": 80.0, "critical": 95.0}


@pytest.mark.parametrize(
    ("options", "value", "passed", "clings", "sentence"),
    [
        ({"above": BOTH}, 50, None, None, "far inside: ok"),
        (
            {"above": BOTH},
            80,
            None,
            "warning",
            "at the limit is not beyond it, but an alert is not over either",
        ),
        ({"above": BOTH}, 80.1, "warning", "warning", "just beyond the mildest limit"),
        ({"above": BOTH}, 76, None, None, "5 % inside the limit it is left"),
        ({"above": BOTH}, 76.1, None, "warning", "a little less inside it is not"),
        ({"above": BOTH}, 96, "critical", "critical", "beyond both"),
        (
            {"above": BOTH},
            93,
            "warning",
            "critical",
            "back below the graver one, but not far enough to be milder",
        ),
        ({"above": BOTH}, 90, "warning", "warning", "far enough below the graver one"),
        ({"above": 90.0}, 91, "warning", "warning", "a single number warns unless told otherwise"),
        (
            {"above": 90.0, "severity": "critical"},
            91,
            "critical",
            "critical",
            "... or is as grave as it is told",
        ),
        ({"above": BOTH, "clear": 60}, 61, None, "warning", "clear says where the mildest limit is left"),
        ({"above": BOTH, "clear": 60}, 60, None, None, "reaching it is enough"),
        ({"below": {"warning": 20.0, "critical": 5.0}}, 30, None, None, "below: what is greater is fine"),
        ({"below": {"warning": 20.0, "critical": 5.0}}, 19, "warning", "warning", "below the mildest"),
        ({"below": {"warning": 20.0, "critical": 5.0}}, 4, "critical", "critical", "below both"),
        ({"below": {"warning": 20.0, "critical": 5.0}}, 20.5, None, "warning", "not yet 5 % above the limit"),
        ({"below": 99.0}, 99.4, None, "warning", "a percentage need not pass 100 to be well again"),
        ({"below": 99.0}, 99.6, None, None, "half the way to 100 will do"),
    ],
)
def test_a_percentage_against_its_limits(
    options: dict[str, object], value: float, passed: str | None, clings: str | None, sentence: str
) -> None:
    verdict = limit("r", "cpu_used_pct", **options).verdict(value)
    assert (verdict.severity, verdict.clings) == (passed, clings), sentence
    assert verdict.state == ("bad" if passed else "ok"), sentence


@pytest.mark.parametrize(
    ("metric", "options", "bad", "well"),
    [
        ("check_state", {"above": {"warning": 0.0, "critical": 1.0}}, 1, 0),
        ("net_up", {"below": 1.0}, 0, 1),
        ("replicas", {"below": 3.0}, 2, 3),
        ("disk_readonly", {"above": 0.0}, 1, 0),
        ("http_status", {"above": 399.0}, 500, 399),
    ],
)
def test_counts_and_switches_are_well_again_at_the_limit_itself(
    metric: str, options: dict[str, object], bad: float, well: float
) -> None:
    rule = limit("r", metric, **options)
    assert rule.verdict(bad).state == "bad"
    assert rule.verdict(well).clings is None


def test_a_check_that_gets_better_is_a_warning_again_at_once() -> None:
    rule = limit("r", "check_state", above={"warning": 0.0, "critical": 1.0})
    assert rule.verdict(2).severity == "critical"
    assert rule.verdict(1).clings == "warning"


def test_no_answer_is_unknown() -> None:
    assert limit("r", "cpu_used_pct", above=80.0).verdict(math.nan).state == "unknown"


@pytest.mark.parametrize(
    ("metric", "series", "binds"),
    [
        ("disk_used_pct", 'disk_used_pct{mount="/"}', True),
        ("disk_used_pct", "disk_used_bytes", False),
        ('disk_used_pct{mount="/"}', 'disk_used_pct{mount="/"}', True),
        ('disk_used_pct{mount="/"}', 'disk_used_pct{mount="/var"}', False),
        ('check_state{kind="http"}', 'check_state{check="web",kind="http"}', True),
        ('check_state{kind="http"}', "check_state", False),
    ],
)
def test_it_binds_to_the_series_it_names(metric: str, series: str, binds: bool) -> None:
    assert limit("r", metric, above=1.0).binds(Series.parse(series)) is binds


@pytest.mark.parametrize(
    ("where", "labels", "concerned"),
    [
        ({}, {}, True),
        ({"role": "web"}, {"role": "web", "site": "x"}, True),
        ({"role": "web"}, {"role": "db"}, False),
        ({"role": "web"}, {}, False),
        ({"role": ["web", "db"]}, {"role": "db"}, True),
        ({"role": "web", "site": "x"}, {"role": "web"}, False),
    ],
)
def test_it_concerns_hosts_by_their_labels(
    where: dict[str, object], labels: dict[str, str], concerned: bool
) -> None:
    assert limit("r", "load1", above=1.0, where=where).concerns(labels) is concerned


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "either above or below"),
        ({"above": 1.0, "below": 0.0}, "either above or below"),
        ({"above": {}}, "needs a number"),
        ({"above": math.inf}, "needs a number"),
        ({"above": {"warning": 95.0, "critical": 80.0}}, "further out"),
        ({"below": {"warning": 5.0, "critical": 20.0}}, "further out"),
        ({"above": {"warning": 80.0, "critical": 80.0}}, "further out"),
        ({"above": 80.0, "clear": 81.0}, "clear must not lie beyond"),
        ({"below": 20.0, "clear": 19.0}, "clear must not lie beyond"),
        ({"above": {"warning": 80.0}, "severity": "critical"}, "severity goes with a single number"),
        ({"above": 80.0, "for_s": -1.0}, "for must be 0 or more"),
        ({"above": 80.0, "metric": "cpu used"}, "is not a series"),
        ({"above": 80.0, "name": " "}, "name is empty"),
        ({"above": 80.0, "name": ".."}, "no address leads to it"),
    ],
)
def test_a_mistake_is_refused_with_a_sentence(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        limit(**{"name": "r", "metric": "cpu_used_pct", **options})  # type: ignore[arg-type]


def state(severity: str, levels: dict[str, int]) -> RuleState:
    return RuleState("r", "host:1/series:x", "firing", 0, severity, alert=1, levels=levels)  # type: ignore[arg-type]


def test_the_values_that_change_nothing_lie_between_the_limits_around_where_it_stands() -> None:
    rule = limit("r", "cpu_used_pct", above=BOTH)
    assert rule.calm(None) == (-math.inf, 80)
    low, high = rule.calm(state("warning", {"warning": 0}))
    assert (low > 76, high) == (True, 95)
    low, high = rule.calm(state("critical", {"warning": 0, "critical": 0}))
    assert (low > 90.25, high) == (True, math.inf)
    assert rule.calm(state("warning", {"warning": 0, "critical": 5})) == NEVER_CALM
    assert limit("r", "x", below=5.0).calm(None) == (5, math.inf)
