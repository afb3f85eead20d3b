"""The nouns."""

from __future__ import annotations

import pytest

from rules.model import Outcome, RuleState, Series, worst


@pytest.mark.parametrize(
    ("name", "metric", "labels"),
    [
        ("load1", "load1", {}),
        ('disk_used_pct{mount="/var"}', "disk_used_pct", {"mount": "/var"}),
        ('check_state{check="web",kind="http"}', "check_state", {"check": "web", "kind": "http"}),
        ('check_state{kind="http",check="web"}', "check_state", {"check": "web", "kind": "http"}),
        (r'x{a="say \"hi\" \\ \n"}', "x", {"a": 'say "hi" \\ \n'}),
        ('x{a="},{"}', "x", {"a": "},{"}),
    ],
)
def test_a_series_name_is_taken_apart(name: str, metric: str, labels: dict[str, str]) -> None:
    series = Series.parse(name)
    assert (series.name, series.metric, series.labels) == (name, metric, labels)


@pytest.mark.parametrize(
    "name", ["", "1load", "cpu used", "x{", "x{a}", "x{a=b}", 'x{a="b"', 'x{a="b"}y', r'x{a="\q"}']
)
def test_what_is_no_series_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a series"):
        Series.parse(name)


def test_the_gravest_of_severities() -> None:
    assert worst("warning", None, "critical", "info") == "critical"
    assert worst(None, None) is None
    assert worst() is None


def test_an_outcome_is_empty_when_there_is_nothing_to_keep() -> None:
    assert Outcome().empty
    assert Outcome(repeat=True, judged_at=5).empty
    assert not Outcome(states=[RuleState("r", "host:1", "ok", 0)]).empty
