"""Which hosts a rule is about."""

from __future__ import annotations

import pytest

from rules.kinds.threshold import Options, Rule


@pytest.mark.parametrize(
    ("where", "concerned", "sentence"),
    [
        ({}, True, "without labels it is about every host"),
        ({"role": "web"}, True, "a label as it is"),
        ({"role": ["api", "web"]}, True, "or one of several"),
        ({"role": "db"}, False, "another label is another host"),
        ({"site": "ams"}, False, "what the host does not say fits nothing"),
        ({"role": "web", "host": "db-1"}, False, "all that is written has to fit"),
        ({"host": "web-*"}, True, "a pattern"),
        ({"host": ["db-*", "web-?"]}, True, "or one of several patterns"),
        ({"host": "web"}, False, "what is no pattern is meant as a whole"),
    ],
)
def test_whom_a_rule_is_about(where: dict[str, str | list[str]], concerned: bool, sentence: str) -> None:
    rule = Rule(Options(name="cpu", metric="cpu_used_pct", above=80, severity="warning", where=where))
    assert rule.concerns({"role": "web", "host": "web-1"}) is concerned, sentence
