"""What is older than it should be, by what hosts tell of themselves."""

from __future__ import annotations

import pytest

from rules.kinds import version
from rules.model import Host
from tests.rules.house import House


def older(at_least: str = "1.4", fact: str = "agent_version") -> version.Rule:
    return version.Rule(version.Options(name="old", at_least=at_least, fact=fact))


@pytest.mark.parametrize(
    ("said", "at_least", "state", "sentence"),
    [
        ("1.4", "1.4", "ok", "the very version"),
        ("1.3.9", "1.4", "bad", "an older one"),
        ("1.10", "1.9", "ok", "versions are no decimal fractions"),
        ("1.4.0", "1.4", "ok", "a number more is no older"),
        ("1.4", "1.4.0", "ok", "and one less, where it is 0, neither"),
        ("2", "1.4", "ok", "a number less may be newer"),
        ("v1.3", "1.4", "bad", "what stands before the numbers does not matter"),
        ("6.1.0-13-amd64", "6.1", "ok", "nor what comes behind them"),
        ("", "1.4", "ok", "who says nothing is not blamed"),
        ("unknown", "1.4", "ok", "nor who says no number"),
    ],
)
def test_what_is_too_old(said: str, at_least: str, state: str, sentence: str) -> None:
    host = Host(1, "h1", facts={"agent_version": said})
    assert older(at_least).verdict_on(host).state == state, sentence


def test_it_begins_and_ends_with_what_the_host_says() -> None:
    house = House([older()])
    house.batch(0, {"load1": 1}, facts={"agent_version": "1.2"})
    house.tick(1)
    (alert,) = house.open_alerts
    assert (alert.severity, alert.summary) == ("info", "agent version is older than 1.4")
    house.batch(10, {"load1": 1})
    house.tick(11)
    assert house.stands("old") == "firing", "facts are told when they change"
    house.batch(20, {"load1": 1}, facts={"agent_version": "1.4"})
    house.tick(21)
    assert house.stands("old") == "ok"


@pytest.mark.parametrize(
    ("at_least", "fact", "said"),
    [("new", "agent_version", 'a version such as "1.4"'), ("1", "Agent!", "is no name of a fact")],
)
def test_what_may_not_be_written(at_least: str, fact: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        older(at_least, fact)
