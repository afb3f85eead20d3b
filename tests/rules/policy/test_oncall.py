"""Whose week it is, over the days on which clocks are set."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.policy.oncall import Rotation, StandIn
from rules.times.zones import wall, zone_named
from tests.rules.times.utc import utc

BERLIN = Rotation(
    name="ops",
    weeks=("ada", "bob", "cleo"),
    since="2026-03-16",
    hand_over="Monday 09:00 Europe/Berlin",
    instead=(StandIn(channel="dora", when="2026-03-25 18:00 to 2026-03-27 08:00 Europe/Berlin"),),
)


@pytest.mark.parametrize(
    ("at", "who", "sentence"),
    [
        ("2026-03-16 07:59", "cleo", "before the first week the last in turn has it"),
        ("2026-03-16 08:00", "ada", "nine in the winter is eight in UTC"),
        ("2026-03-23 07:59", "ada", "to the last minute"),
        ("2026-03-23 08:00", "bob", "hand-over"),
        ("2026-03-25 17:00", "dora", "somebody stands in"),
        ("2026-03-27 07:00", "bob", "and is done"),
        ("2026-03-30 06:59", "bob", "clocks were set forward: nine is seven now"),
        ("2026-03-30 07:00", "cleo", "hand-over by the clock on the wall"),
        ("2026-10-26 07:59", "bob", "clocks were set back"),
        ("2026-10-26 08:00", "cleo", "and nine is eight again"),
    ],
)
def test_whose_week_it_is(at: str, who: str, sentence: str) -> None:
    assert BERLIN.compiled("UTC").who(utc(at)) == who, sentence


@given(st.integers(utc("2026-01-01"), utc("2027-12-31")))
@settings(max_examples=200, deadline=None)
def test_nobody_takes_over_before_the_next_change(at: int) -> None:
    turns = BERLIN.compiled("UTC")
    change = turns.next_change(at)
    assert at < change <= at + 8 * 86_400_000
    assert turns.who(change - 1) == turns.who(at)
    shown = wall(change, zone_named("Europe/Berlin"))
    assert f"{shown:%a %H:%M}" in ("Mon 09:00", "Wed 18:00", "Fri 08:00")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"hand_over": "Mondays"},
            'hand_over: "Mondays" is no time of the week; write one such as Monday 09:00',
        ),
        ({"hand_over": "Funday 09:00"}, '"Funday" is no day'),
        ({"since": "tomorrow"}, 'since: "tomorrow" is no day; write one such as 2026-01-05'),
    ],
)
def test_what_is_written_wrong_is_refused_in_plain_words(given: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        Rotation(name="ops", weeks=("ada",), **given)  # type: ignore[arg-type]


def test_so_is_the_time_of_one_who_stands_in() -> None:
    with pytest.raises(ValueError, match='"some day" is no time'):
        StandIn(channel="dora", when="some day")
