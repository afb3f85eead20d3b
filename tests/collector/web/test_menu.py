"""The way to all pages: whoever may not go somewhere is not led there."""

from __future__ import annotations

from collector.web.menu import ENTRIES, menu
from collector.who import PERMISSIONS


def test_everybody_is_led_to_what_they_may_see_only() -> None:
    assert [url for url, _, _ in menu("/", PERMISSIONS)] == [entry.url for entry in ENTRIES]
    assert menu("/", frozenset()) == []


def test_one_place_is_marked_wherever_one_is() -> None:
    for path, marked in (
        ("/", "/"),
        ("/hosts/3", "/"),
        ("/incidents", "/incidents"),
        ("/incidents/7", "/incidents"),
    ):
        assert [url for url, _, here in menu(path, PERMISSIONS) if here] == [marked]
    assert [url for url, _, here in menu("/account", PERMISSIONS) if here] == []
