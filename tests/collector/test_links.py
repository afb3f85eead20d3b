"""Signed links: good for one deed to one incident for a while, and for nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import jwt
import pytest

from collector.links import GOOD_FOR_MS, KEY_BYTES, Links
from collector.messages import Grant, NoGrant
from tests.collector.owed import BEGAN, notice

KEY = b"k" * KEY_BYTES
BASE = "https://watch.example.org"


def links(now: int = BEGAN + 60_000, key: bytes = KEY) -> Links:
    return Links(key, BASE, lambda: now)


def signed(url: str) -> str:
    return url.removeprefix(f"{BASE}/links/")


def test_a_link_says_what_may_be_done_to_which_incident_and_who_was_told() -> None:
    told = notice(incident=12, channel="mail")
    acknowledge, snooze = links().actions(told)
    assert (acknowledge.label, snooze.label) == ("Acknowledge", "Not again for an hour")
    assert links().read(signed(acknowledge.url)) == Grant(12, "acknowledge", "mail")
    assert links().read(signed(snooze.url)) == Grant(12, "snooze", "mail")
    assert links().read(signed(links().to_incident(told))) == Grant(12, "open", "mail")


def test_every_try_of_a_notice_carries_the_same_links() -> None:
    assert links(BEGAN).actions(notice()) == links(BEGAN + 9_000_000).actions(notice())


def test_what_is_over_can_be_looked_at_and_not_acted_upon() -> None:
    over = notice(reason="resolved")
    assert links().actions(over) == ()
    assert links().read(signed(links().to_incident(over))).deed == "open"


@pytest.mark.parametrize(("after_ms", "good"), [(0, True), (GOOD_FOR_MS - 1_000, True), (GOOD_FOR_MS, False)])
def test_a_link_is_good_for_three_days_after_the_message(after_ms: int, good: bool) -> None:
    told = notice()
    late = links(told.created_at + after_ms)
    url = signed(late.to_incident(told))
    if good:
        assert late.read(url).incident == told.incident
    else:
        with pytest.raises(NoGrant, match="no longer good"):
            late.read(url)


def unsigned(text: str) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{head}.{text.split('.')[1]}."


def other_incident(text: str) -> str:
    head, body, tail = text.split(".")
    said = jwt.decode(text, options={"verify_signature": False}) | {"incident": 13}
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{tail}"


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        other_incident,
        lambda text: text[:-3],
        lambda text: "",
        lambda text: "a.b.c",
        lambda text: "x" * 100_000,
        lambda text: jwt.encode({"incident": 1, "deed": "open"}, KEY, "HS256"),
        lambda text: jwt.encode(jwt.decode(text, options={"verify_signature": False}), b"o" * 32, "HS256"),
    ],
    ids=["alg none", "changed", "cut", "empty", "nonsense", "huge", "without an end", "another key"],
)
def test_a_forged_link_is_worth_nothing(forge: Callable[[str], str]) -> None:
    with pytest.raises(NoGrant, match="not one of ours"):
        links().read(forge(signed(links().to_incident(notice()))))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 32"):
        Links(b"short", BASE, lambda: BEGAN)
