"""Which stretch of time charts show: what an address may ask for, and the ways from one to another."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from collector.web.answers import Unclear
from collector.web.stretch import LONGEST_MS, SHORTEST_MS, Stretch, stretch_of
from collector.web.words import HOUR_MS, Times, zone_named

NOW = 1_795_140_000_000


def asked(query: str) -> Stretch:
    return stretch_of(make_mocked_request("GET", f"/hosts/1?{query}"), NOW)


def test_without_a_wish_it_is_the_last_hour_and_this_very_moment_is_in_it() -> None:
    assert asked("") == asked("range=1h") == Stretch(NOW + 1 - HOUR_MS, NOW + 1, "1h")


def test_an_address_carries_a_stretch_to_the_millisecond() -> None:
    wanted = Stretch(NOW - HOUR_MS, NOW - 1)
    assert asked(f"from={wanted.asked['from']}&to={wanted.asked['to']}") == wanted


@pytest.mark.parametrize(
    "query",
    [
        "range=2h",
        "from=2026-11-20T01:00:00Z",
        "from=yesterday&to=today",
        "from=2026-11-20T01:00:00&to=2026-11-20T02:00:00",
        "from=2026-11-20T02:00:00Z&to=2026-11-20T01:00:00Z",
        "from=2026-11-20T02:00:00Z&to=2026-11-20T02:00:30Z",
        "from=2020-11-20T02:00:00Z&to=2026-11-20T02:00:30Z",
    ],
)
def test_what_is_no_stretch_is_refused_in_words(query: str) -> None:
    with pytest.raises(Unclear):
        asked(query)


def test_one_can_go_earlier_and_later_and_closer_and_wider() -> None:
    hour = Stretch(NOW - HOUR_MS, NOW)
    assert hour.moved(-0.5).limits == (NOW - HOUR_MS * 3 // 2, NOW - HOUR_MS // 2)
    assert hour.wider(0.5).limits == (NOW - HOUR_MS * 3 // 4, NOW - HOUR_MS // 4)
    assert hour.wider(2).limits == (NOW - HOUR_MS * 3 // 2, NOW + HOUR_MS // 2)
    assert hour.wider(1e-9).span_ms == SHORTEST_MS
    assert hour.wider(1e9).span_ms == LONGEST_MS


def test_it_is_said_as_people_say_it() -> None:
    times = Times(zone_named("UTC"), NOW)
    assert asked("range=7d").said(times) == "the last 7\N{NO-BREAK SPACE}days"
    assert Stretch(NOW - HOUR_MS, NOW).said(times) == "01:00:00 to 02:00:00 (60\N{NO-BREAK SPACE}min)"
