"""The screen of `top`, for terminals of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.cli.remote.answers import Check, HostDetails, Incident, IncidentDetails, Latest
from collector.cli.top.drawing import Line, draw
from collector.cli.top.follower import HostPage, Seen, Trouble
from collector.cli.top.view import View
from rules.fleet.state import HOST_STATES, HostState
from tests.collector.cli.top.conftest import DB, NOW, host, moment, seen

WHERE = "https://watch.example.org"


def drawn(
    view: View, found: Seen | None = None, size: tuple[int, int] = (24, 120), **more: object
) -> list[Line]:
    trouble, said = more.get("trouble"), more.get("said", "")
    assert trouble is None or isinstance(trouble, Trouble)
    return draw(view, found, trouble, str(said), WHERE, size, NOW)


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


@given(
    st.integers(1, 60), st.integers(1, 200), st.sampled_from(["list", "host", "incident", "help", "asking"])
)
def test_it_fills_a_terminal_of_any_size_and_never_more(height: int, width: int, what: str) -> None:
    found, view = seen(), View(first=1_000, chosen=("host", 5))
    match what:
        case "host":
            view.focus, found = ("host", 2), on_host(found)
        case "incident":
            view.focus, found = ("incident", 9), on_incident(found)
        case "help":
            view.help = True
        case "asking":
            view.asking = [9]
    lines = drawn(view, found, (height, width), trouble=Trouble("nothing listens", NOW - 5_000))
    assert len(lines) == height
    assert all(len(line.text) <= width for line in lines)


def on_host(found: Seen) -> Seen:
    checks = [Check("shop", "http", "bad", moment(60), 12.0, "503 \x1b[2J")]
    page = HostPage(HostDetails(DB, {"os": "Debian 12"}), checks, Latest(moment(3), {"cpu_used_pct": 20.0}))
    return replace(found, focus=("host", DB.id), page=page)


def on_incident(found: Seen) -> Seen:
    one: Incident = found.incidents[2]
    return replace(found, focus=("incident", one.id), page=IncidentDetails(one, [], []))


def test_the_gravest_stands_first_and_the_chosen_is_marked() -> None:
    view = View()
    lines = drawn(view, seen())
    assert lines[1].text == (
        "critical: 4 incidents and 4 alerts open; 3 of 5 hosts heard, 1 silent, 1 never heard"
    )
    assert view.chosen == ("incident", 10)
    assert [line.style for line in lines if line.key == view.chosen] == ["chosen"]
    styles = {line.key: line.style for line in lines if line.key}
    assert styles["incident", 8] == "dim", "somebody has it"
    assert (styles["host", 3], styles["host", 2], styles["host", 1]) == ("critical", "critical", "warning")


@pytest.mark.parametrize("state", HOST_STATES)
def test_numbers_stand_below_their_names_however_a_host_stands(state: HostState) -> None:
    found = seen()
    lines = texts(drawn(View(), replace(found, hosts=[*found.hosts, host(6, "other-1", state)])))
    head = next(line for line in lines if line.startswith("HOST"))
    row = next(line for line in lines if line.startswith("db-1"))
    for name, value in (
        ("CPU", "20%"),
        ("MEMORY", "30%"),
        ("DISK", "99%"),
        ("LOAD", "4.00"),
        ("ALERTS", "2"),
    ):
        end = head.index(name) + len(name)
        assert row[:end].endswith(value)
    assert "■■■■■■  99%" in row
    other = next(line for line in lines if line.startswith("other-1"))
    assert len(other) <= head.index("LABELS")


def test_the_chosen_is_kept_in_sight_and_a_row_that_is_gone_lets_go() -> None:
    many = [host(number, f"web-{number:03}") for number in range(1, 301)]
    found = replace(seen(), hosts=many, incidents=[], alerts=[])
    view = View(sort="name", chosen=("host", 250))
    assert any("web-250" in text for text in texts(drawn(view, found)))
    view.chosen = ("host", 1)
    assert texts(drawn(view, found))[2].startswith("HOST")
    drawn(view, replace(found, hosts=many[1:]))
    assert view.chosen == ("host", 2)


def test_a_collector_that_is_away_is_told_with_its_time_and_the_last_stays() -> None:
    lines = texts(drawn(View(), seen(), trouble=Trouble("nothing listens there", NOW - 90_000)))
    assert lines[2].startswith("NOTHING NEW since 07:58:30 UTC (90 s): nothing listens there")
    assert any(line.startswith("db-1") for line in lines)
    assert texts(drawn(View(), None, trouble=Trouble("nothing listens there", NOW)))[2].startswith(
        "NOTHING NEW"
    )


def test_what_hosts_say_is_shown_without_what_moves_the_cursor() -> None:
    lines = texts(drawn(View(focus=("host", 2)), on_host(seen())))
    assert any("503 \N{REPLACEMENT CHARACTER}[2J" in line for line in lines)
    assert "\x1b" not in "".join(lines)
    assert any(line.startswith("cpu_used_pct") and line.endswith("20 %") for line in lines)


def test_until_there_is_a_page_it_says_that_it_looks() -> None:
    assert texts(drawn(View(focus=("host", 2)), seen()))[2] == "looking …"
    assert texts(drawn(View(), None))[1] == "looking …"


def test_the_last_line_asks_tells_and_shows_what_is_typed() -> None:
    found = seen()
    assert drawn(View(asking=[9]), found)[-1].text == "Say that you have incident 9 (db-1 is slow)? y or n"
    assert drawn(View(typing=True, text="db"), found)[-1].text == "/db_"
    assert drawn(View(), found, said="incident 9 is yours")[-1].text == "incident 9 is yours"
    assert "q quits" in drawn(View(), found)[-1].text


def test_without_hosts_the_next_step_is_said() -> None:
    found = replace(seen(), hosts=[], incidents=[], alerts=[])
    assert "No host yet; add one, where the collector runs: watchkeeper join-command" in texts(
        drawn(View(), found)
    )
    assert "No such host." in texts(drawn(View(text="x"), found))
