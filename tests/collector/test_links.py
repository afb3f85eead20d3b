"""Signed links: good for one deed to one incident for a while, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from collector.links import GOOD_FOR_S, KEY_BYTES, Links
from collector.messages import Grant, NoGrant
from rules.model import Line
from tests.collector.owed import BEGAN, notice

KEY = b"k" * KEY_BYTES
BASE = "https://watch.example.org"


def links(now: int = BEGAN + 60_000, key: bytes = KEY) -> Links:
    return Links(key, BASE, lambda: now)


def parts(url: str) -> list[str]:
    return [unquote(part) for part in url.removeprefix(f"{BASE}/links/").split("/")]


def test_a_link_says_what_may_be_done_to_which_incident_and_who_was_told() -> None:
    told = notice(incident=12, channel="mail")
    acknowledge, snooze = links().actions(told)
    assert (acknowledge.label, snooze.label) == ("Acknowledge", "Not again for an hour")
    assert links().read(*parts(acknowledge.url)) == Grant(12, "acknowledge", "mail")
    assert links().read(*parts(snooze.url)) == Grant(12, "snooze", "mail")
    assert links().read(*parts(links().to_incident(told))) == Grant(12, "open", "mail")


def test_every_try_of_a_notice_carries_the_same_links() -> None:
    assert links(BEGAN).actions(notice()) == links(BEGAN + 9_000_000).actions(notice())


def test_what_is_over_can_be_looked_at_and_not_acted_upon() -> None:
    over = notice(reason="resolved")
    assert links().actions(over) == ()
    assert links().read(*parts(links().to_incident(over))).deed == "open"


SEVERAL = replace(
    notice(channel="on call"),
    reason="digest",
    about=[Line(1, "first", "warning", "one"), Line(2, "resolved", "warning", "two")],
)


def test_a_message_about_several_problems_leads_to_the_list_and_acknowledges_all_it_names() -> None:
    (acknowledge,) = links().actions(SEVERAL)
    assert acknowledge.label == "Acknowledge all"
    assert links().read(*parts(acknowledge.url)) == Grant(0, "acknowledge_all", "on call", SEVERAL.id)
    assert links().to_incident(SEVERAL) == f"{BASE}/incidents"


def test_of_several_problems_that_are_all_over_nothing_is_to_be_done() -> None:
    over = replace(SEVERAL, about=[replace(line, reason="resolved") for line in SEVERAL.about])
    assert links().actions(over) == ()


def test_anybody_can_read_what_a_link_does() -> None:
    (acknowledge, _) = links().actions(notice(incident=12, channel="on call"))
    until_s = notice().created_at // 1000 + GOOD_FOR_S
    assert acknowledge.url.startswith(f"{BASE}/links/acknowledge/12/{until_s}/on%20call/")
    assert len(acknowledge.url) < 120


@pytest.mark.parametrize(("after_s", "good"), [(0, True), (GOOD_FOR_S - 1, True), (GOOD_FOR_S, False)])
def test_a_link_is_good_for_three_days_after_the_message(after_s: int, good: bool) -> None:
    told = notice()
    late = links(told.created_at + after_s * 1000)
    url = parts(late.to_incident(told))
    if good:
        assert late.read(*url).incident == told.incident
    else:
        with pytest.raises(NoGrant, match="no longer good"):
            late.read(*url)


REAL = parts(links().to_incident(notice(incident=12)))


@pytest.mark.parametrize(
    "forged",
    [
        ["acknowledge", *REAL[1:]],
        [REAL[0], "13", *REAL[2:]],
        [*REAL[:2], "99999999999", *REAL[3:]],
        [*REAL[:3], "other", REAL[4]],
        [*REAL[:4], ""],
        [*REAL[:4], REAL[4][:-1]],
        [*REAL[:4], "é" * 50_000],
        ["", "", "", "", ""],
        parts(links(key=b"o" * KEY_BYTES).to_incident(notice(incident=12))),
        ["acknowledge_all", *REAL[1:]],
        [parts(links().actions(SEVERAL)[0].url)[0], "wk-other", *parts(links().actions(SEVERAL)[0].url)[2:]],
    ],
    ids=[
        "another deed",
        "another incident",
        "another end",
        "another channel",
        "no seal",
        "a seal cut short",
        "a huge seal",
        "nothing",
        "another key",
        "all of a message instead of one",
        "another message",
    ],
)
def test_a_forged_link_is_worth_nothing(forged: Sequence[str]) -> None:
    with pytest.raises(NoGrant, match="not one of ours"):
        links().read(*forged)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 32"):
        Links(b"short", BASE, lambda: BEGAN)
