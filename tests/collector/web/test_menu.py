"""The way to all pages: whoever may not go somewhere is not led there."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from collector.web.menu import DAILY, OTHERS, Link, menu
from collector.who import PERMISSIONS, Permission


def links(path: str, may: Collection[Permission]) -> list[Link]:
    found = menu(path, may)
    return [*found.daily, *found.others]


def test_everybody_is_led_to_what_they_may_see_only() -> None:
    assert [link.url for link in links("/", PERMISSIONS)] == [entry.url for entry in (*DAILY, *OTHERS)]
    reader = {link.url for link in links("/", {"monitoring.read"})}
    assert "/alerts" in reader
    assert not {"/audit", "/settings"} & reader
    assert links("/", frozenset()) == []


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/", "/"),
        ("/hosts/3", "/"),
        ("/incidents", "/incidents"),
        ("/incidents/7", "/incidents"),
        ("/services/shop", "/services"),
        ("/settings/users", "/settings"),
        ("/incidents-of-old", None),
        ("/account", None),
    ],
)
def test_one_place_is_marked_wherever_one_is(path: str, marked: str | None) -> None:
    assert [link.url for link in links(path, PERMISSIONS) if link.here] == ([marked] if marked else [])
