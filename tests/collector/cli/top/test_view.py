"""What keys do to the screen of `top`."""

from __future__ import annotations

import pytest

from collector.cli.top.follower import Focus
from collector.cli.top.view import View, Wish, press, rows_of
from tests.collector.cli.top.conftest import seen

WORST = ["gone-1", "db-1", "web-1", "cam-1", "calm-1"]


def names(view: View) -> list[str]:
    return [host.name for host in rows_of(seen(), view)[1]]


def pressed(view: View, *keys: str) -> Wish:
    """The wish of the last of the keys."""
    wishes = [press(view, key, seen(), 10) for key in keys]
    return wishes[-1]


@pytest.mark.parametrize(
    ("key", "first", "last"),
    [
        ("w", "gone-1", "calm-1"),
        ("c", "web-1", "gone-1"),
        ("m", "db-1", "gone-1"),
        ("d", "db-1", "gone-1"),
        ("l", "calm-1", "gone-1"),
        ("n", "calm-1", "web-1"),
    ],
)
def test_hosts_are_sorted_by_a_key_and_those_without_a_value_come_last(
    key: str, first: str, last: str
) -> None:
    view = View()
    pressed(view, "n", key)
    assert (names(view)[0], names(view)[-1]) == (first, last)


def test_the_silent_are_worse_than_the_bad_and_those_worse_than_the_never_heard() -> None:
    assert names(View()) == WORST


def test_incidents_that_nobody_has_come_before_those_that_somebody_has() -> None:
    assert [one.id for one in rows_of(seen(), View())[0]] == [10, 9, 8, 7]


@pytest.mark.parametrize(
    ("text", "hosts", "incidents"),
    [("WEB", ["web-1"], [7]), ("role=db", ["db-1"], []), ("silent", ["gone-1"], [10]), ("nothing", [], [])],
)
def test_a_filter_looks_into_names_labels_states_and_titles(
    text: str, hosts: list[str], incidents: list[int]
) -> None:
    view = View()
    pressed(view, "/", *text, "enter")
    assert (names(view), [one.id for one in rows_of(seen(), view)[0]]) == (hosts, incidents)


def test_while_a_filter_is_written_letters_are_letters() -> None:
    view = View()
    assert pressed(view, "/", "q", "x", "back") == Wish()
    assert (view.text, view.typing) == ("q", True)
    pressed(view, "escape")
    assert (view.text, view.typing) == ("", False)
    pressed(view, "/", "w", "enter", "escape")
    assert view.text == ""


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["down"], ("incident", 9)),
        (["j", "j", "k"], ("incident", 9)),
        (["end"], ("host", 5)),
        (["end", "down"], ("host", 5)),
        (["end", "home"], ("incident", 10)),
        (["page down"], ("host", 5)),
        (["up"], ("incident", 10)),
    ],
)
def test_a_row_is_chosen(keys: list[str], chosen: Focus) -> None:
    view = View(chosen=("incident", 10))
    pressed(view, *keys)
    assert view.chosen == chosen


def test_what_is_chosen_is_opened_and_left_again() -> None:
    view = View(chosen=("host", 2))
    assert pressed(view, "enter") == Wish(look=True)
    assert view.focus == ("host", 2)
    pressed(view, "down", "page down")
    assert view.first == 11
    assert pressed(view, "escape") == Wish(look=True)
    assert (view.focus, view.first, view.chosen) == (None, 0, ("host", 2))


@pytest.mark.parametrize(
    ("chosen", "asks"),
    [(("incident", 9), [9]), (("incident", 8), []), (("host", 2), [9]), (("host", 5), []), (None, [])],
)
def test_only_what_nobody_has_can_be_acknowledged(chosen: Focus, asks: list[int]) -> None:
    view = View(chosen=chosen)
    wish = pressed(view, "a")
    assert view.asking == asks
    assert bool(wish.say) is not bool(asks)


@pytest.mark.parametrize(("answer", "numbers"), [("y", (9,)), ("n", ()), ("enter", ()), ("q", ())])
def test_nothing_is_acknowledged_without_a_yes(answer: str, numbers: tuple[int, ...]) -> None:
    view = View(chosen=("incident", 9))
    assert pressed(view, "a", answer) == Wish(acknowledge=numbers)
    assert view.asking == []


def test_q_ends_it_and_before_anything_was_seen_as_well() -> None:
    assert pressed(View(), "q").quit
    assert press(View(), "q", None, 10).quit
    for key in ("a", "enter", "down", "c", "/", "?"):
        assert press(View(), key, None, 10) == Wish()
    assert pressed(View(), "?", "q").quit
