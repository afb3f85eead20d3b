"""What is odd about a host itself becomes an alert like any other."""

from __future__ import annotations

import pytest

from rules.judging.judge import replace_rules
from rules.kinds import flag
from rules.model import ChannelView, Severity
from tests.rules.house import House, limit, remembered, silence, stored


def odd(name: flag.Flag = "cloned", severity: Severity = "warning", for_s: float = 60.0) -> flag.Rule:
    return flag.Rule(flag.Options(name="odd", flag=name, severity=severity, for_s=for_s))


def say(house: House, at_s: float, *flags: str) -> None:
    house.batch(at_s, {"load1": 1}, flags=flags)
    house.tick(at_s + 1)


@pytest.mark.parametrize(
    ("flags", "stands", "sentence"),
    [
        ([()], "ok", "nothing is odd"),
        ([("clock",)], "ok", "something else is"),
        ([("cloned",)], "pending", "it must last"),
        ([("cloned",)] * 8, "firing", "and has lasted"),
        ([*[("cloned",)] * 8, ()], "ok", "it is over when it is over"),
        ([("cloned", "clock")] * 8, "firing", "it may not be the only thing"),
    ],
)
def test_a_flag_that_stands(flags: list[tuple[str, ...]], stands: str, sentence: str) -> None:
    house = House([odd()])
    for place, flagged in enumerate(flags):
        say(house, place * 10, *flagged)
    assert house.stands("odd") == stands, sentence


def test_its_message_says_what_is_odd_and_takes_the_host_for_no_cause() -> None:
    house = House([odd(for_s=0), limit("load", "load1", above=0.5), silence()])
    say(house, 0, "cloned")
    titles = [notice.title for notice in house.notices]
    assert any("WARNING h1: two agents push as this host in turn" in title for title in titles)
    assert len(house.open_incidents) == 2, "a host that is odd is not down, and holds nothing back"


def test_it_stays_over_a_start_and_goes_with_its_rule() -> None:
    house = House([odd(for_s=0)])
    say(house, 0, "cloned")
    house.watch = remembered([odd(for_s=0)], rest=stored(house.watch))
    assert house.stands("odd") == "firing"
    replace_rules(house.watch, [], [ChannelView("mail")])
    house.tick(10)
    assert house.stands("odd") == "ok"
    assert house.told[-1][1] == "resolved"
