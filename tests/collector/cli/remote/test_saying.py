"""What people say at a terminal: it is done before the judge, and a program is told what came of it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from collector.who import LOCAL, PERMISSIONS
from tests.collector.api.house import Agent
from tests.collector.cli.remote.conftest import Terminal

Fleet = dict[str, Agent]


async def incident(terminal: Terminal, number: int = 1) -> Any:
    return (await terminal.house.ask(f"/incidents/{number}"))["incident"]


# --- incidents --------------------------------------------------------------------------------------------------------


async def test_somebody_has_it_lets_go_of_it_and_ends_it(terminal: Terminal, fleet: Fleet) -> None:
    said = await terminal("ack", "1", "--note", "on it")
    assert (said.code, said.out) == (0, "Incident 1 is yours: web-1 is busy\n")
    assert (await incident(terminal))["state"] == "acknowledged"
    timeline = (await terminal.house.ask("/incidents/1"))["timeline"]
    assert "on it" in [event["text"] for event in timeline]
    assert (await terminal("unack", "1")).out == "Incident 1 is nobody's again: web-1 is busy\n"
    assert (await incident(terminal))["state"] == "open"
    assert (await terminal("resolve", "1")).out == "Incident 1 is over: web-1 is busy\n"
    assert (await incident(terminal))["state"] == "resolved"


async def test_what_is_over_cannot_be_acknowledged(terminal: Terminal, fleet: Fleet) -> None:
    await terminal("resolve", "1")
    said = await terminal("ack", "1")
    assert said.code == 1
    assert said.err.startswith("watchkeeper: Incident 1 is over already")


async def test_of_several_each_is_tried_and_the_code_tells_of_the_one_that_failed(
    terminal: Terminal, fleet: Fleet
) -> None:
    await terminal("open", "a leak")
    said = await terminal("ack", "1", "99", "2")
    assert said.code == 1
    assert said.out.splitlines() == ["Incident 1 is yours: web-1 is busy", "Incident 2 is yours: a leak"]
    assert "99" in said.err


async def test_somebody_cares_for_it(terminal: Terminal, fleet: Fleet) -> None:
    assert (await terminal("assign", "1", "ada")).out == "Incident 1 is cared for by ada: web-1 is busy\n"
    assert (await incident(terminal))["assignee"] == "ada"
    assert "cared for by nobody" in (await terminal("assign", "1", "")).out


async def test_a_note_is_an_argument_or_comes_by_a_pipe(
    terminal: Terminal, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await terminal("note", "1", "a build ran wild")).out == "Incident 1 has the note: web-1 is busy\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("and another\n"))
    await terminal("note", "1", "-")
    events = (await terminal.house.ask("/incidents/1"))["timeline"]
    assert {"a build ran wild", "and another"} <= {event["text"] for event in events}
    said = await terminal("note", "1", "")
    assert (said.code, said.err) == (2, "watchkeeper: the note is empty; write what is to be kept\n")


async def test_a_problem_that_no_rule_sees_is_opened(terminal: Terminal) -> None:
    said = await terminal(
        "open", "No cards", "--severity", "critical", "--text", "since ten", "--service", "shop"
    )
    assert (said.code, said.out) == (0, "Incident 1 is open: No cards\n")
    found = await incident(terminal)
    assert (found["severity"], found["text"], found["services"]) == ("critical", "since ten", ["shop"])


@pytest.mark.parametrize("command", ["ack 1", "assign 1 ada", "note 1 seen", "open other"])
async def test_a_program_gets_the_incident_as_it_is_now(
    terminal: Terminal, fleet: Fleet, command: str
) -> None:
    told = await terminal.json(*command.split())
    assert told == await incident(terminal, told["id"])


@pytest.mark.parametrize("number", ["0", "-1", "x", "9999999999999999999"])
async def test_what_is_no_number_of_an_incident_is_a_mistake(terminal: Terminal, number: str) -> None:
    assert (await terminal("ack", number)).code == 2


# --- silences and maintenance -----------------------------------------------------------------------------------------


async def test_a_silence_is_made_listed_and_ended(terminal: Terminal) -> None:
    said = await terminal(
        "silence", "add", "--label", "role=web", "--rule", "cpu-*", "--for", "2h", "--comment", "up"
    )
    assert said.code == 0
    assert said.out.endswith(": nobody is told of hosts with role=web, rule cpu-*.\n")
    row = (await terminal("silence", "list")).out.splitlines()[1]
    assert row.split()[:2] == ["1", "active"]
    assert row.endswith("hosts with role=web, rule cpu-*  up")
    assert (await terminal("silence", "end", "1")).out == "Silence 1 is over.\n"
    assert (await terminal("silence", "list")).out.startswith("No silence: whoever is to be told, is.")
    assert "over" in (await terminal("silence", "list", "--state", "over")).out
    assert (await terminal("silence", "end", "1")).code == 1


async def test_a_silence_is_about_all_that_was_said(terminal: Terminal) -> None:
    made = await terminal.json(
        "silence", "add", "--host", "web-1", "--host", "web-2", "--service", "shop", "--from-severity", "warning",
        "--category", "disk", "--subject", "host:7",
        "--start", "2099-01-01T00:00:00Z", "--until", "2099-01-02T00:00:00Z",
    )  # fmt: skip
    assert (await terminal.house.ask("/silences"))["items"] == [made]
    assert made["state"] == "waiting"
    assert made["matching"] == {
        "where": {"host": ["web-1", "web-2"]}, "from_severity": "warning", "rules": [], "categories": ["disk"],
        "services": ["shop"], "subject": "host:7",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("--for 2h", 1, "this would silence everything"),
        ("--label role=web", 2, "one of the arguments --for --until is required"),
        ("--label role --for 2h", 2, "'role' is not a label; write NAME=VALUE"),
        ("--label role=web --for soon", 1, "for"),
    ],
)
async def test_a_silence_that_cannot_be(terminal: Terminal, arguments: str, code: int, says: str) -> None:
    said = await terminal("silence", "add", *arguments.split())
    assert said.code == code
    assert says in said.err


async def test_a_silence_about_everything_says_so(terminal: Terminal) -> None:
    said = await terminal("silence", "add", "--everything", "--for", "1h")
    assert said.out.endswith(": nobody is told of everything.\n")


async def test_maintenance_is_planned_listed_and_taken_back(terminal: Terminal) -> None:
    when = ("--when", "Saturday 22:00 to Sunday 06:00", "--when", "Monday 01:00 to 02:00")
    said = await terminal("maintenance", "add", "patches", *when, "--label", "role=db")
    assert said.out == (
        "Maintenance 1, patches: Saturday 22:00 to Sunday 06:00; Monday 01:00 to 02:00; "
        "nobody is told then of hosts with role=db.\n"
    )
    assert "patches" in (await terminal("maintenance", "list")).out
    assert (await terminal("maintenance", "remove", "1", "7")).code == 1
    assert (await terminal.house.ask("/maintenance"))["items"] == []
    bad = await terminal("maintenance", "add", "patches", "--when", "whenever")
    assert (bad.code, '"whenever" is no time' in bad.err) == (1, True)


# --- with the rights of a token ---------------------------------------------------------------------------------------


async def test_a_token_that_may_not_is_told_which_right_it_needs(terminal: Terminal, fleet: Fleet) -> None:
    text, _ = await terminal.house.collector._parts.access.desk.add_api_token(
        LOCAL, "reader", ["monitoring.read"], expires_at=None
    )
    token = terminal.house.folder / "token"
    token.write_text(f"{text}\n")
    here = ("--url", terminal.url, "--token-file", token)
    assert (await terminal.bare("alerts", *here)).code == 0
    said = await terminal.bare("ack", "1", *here)
    assert said.code == 1
    assert (
        "it needs the right monitoring.incident.update; a token that may: watchkeeper token add" in said.err
    )
    token.write_text("wk_api_nobody")
    wrong = await terminal.bare("alerts", *here)
    assert (wrong.code, "give a token that holds: --token-file FILE" in wrong.err) == (1, True)


@pytest.mark.parametrize(
    ("command", "lacks"),
    [
        ("ack", "monitoring.incident.update"),
        ("ack", "monitoring.alert.acknowledge"),
        ("resolve", "monitoring.incident.update"),
        ("resolve", "monitoring.alert.resolve"),
    ],
)
async def test_having_an_incident_or_ending_it_takes_two_rights_and_says_which_is_missing(
    terminal: Terminal, fleet: Fleet, command: str, lacks: str
) -> None:
    text, _ = await terminal.house.collector._parts.access.desk.add_api_token(
        LOCAL, "almost", sorted(PERMISSIONS - {lacks}), expires_at=None
    )
    token = terminal.house.folder / "token"
    token.write_text(f"{text}\n")
    said = await terminal.bare(command, "1", "--url", terminal.url, "--token-file", token)
    assert said.code == 1
    assert f"it needs the right {lacks}; a token that may: watchkeeper token add NAME --may" in said.err
    [incident] = (await terminal.house.ask("/incidents"))["items"][-1:]
    assert incident["state"] == "open"


async def test_what_hosts_say_cannot_move_the_cursor(terminal: Terminal) -> None:
    agent = await terminal.house.enrol("web-1")
    check = {
        "id": "shop",
        "kind": "http",
        "state": "bad",
        "ms": 1.0,
        "detail": "\x1b[2Jgone\x9b1;31m\u202etxt",
    }
    await agent.push({"cpu_used_pct": 3.0}, checks=[check])
    said = await terminal("host", "web-1")
    assert "gone" in said.out
    assert {"\x1b", "\x9b", "\u202e"}.isdisjoint(said.out)
    assert json.loads((await terminal("host", "web-1", "--json")).out)["host"]["name"] == "web-1"
