"""What the fleet is like, asked at a terminal: with nothing there yet, with a fleet, for people and for programs."""

from __future__ import annotations

import pytest

from collector.cli.remote.silences import TO_PLAN, TO_SILENCE
from tests.collector.api.house import Agent
from tests.collector.cli.remote.conftest import Terminal

Fleet = dict[str, Agent]


def columns(text: str, head: str) -> list[list[str]]:
    """The rows below a heading of a table, by words."""
    lines = text.splitlines()
    first = next(place for place, line in enumerate(lines) if line.split()[:1] == [head])
    return [line.split() for line in lines[first + 1 :] if line.strip()]


# --- nothing there yet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("status", 3, "unknown: no host yet; add one, where the collector runs: watchkeeper join-command"),
        ("hosts", 0, "No host yet; add one, where the collector runs: watchkeeper join-command"),
        ("hosts web", 0, "No such host."),
        ("alerts", 0, "No alert is open; those that are over: watchkeeper alerts --state all"),
        ("alerts --state all", 0, "No such alert."),
        (
            "incidents",
            0,
            "No incident is open: all is well; those that are over: watchkeeper incidents --state all",
        ),
        ("incidents --severity critical", 0, "No such incident."),
        ("notices", 0, "No notice yet: nothing was to be told. To try it: watchkeeper notify test ops"),
        ("silence list", 0, f"No silence: whoever is to be told, is. {TO_SILENCE}"),
        ("maintenance list", 0, f"Nothing is planned, besides what the config holds. {TO_PLAN}"),
    ],
)
async def test_where_there_is_nothing_yet_a_sentence_says_so(
    terminal: Terminal, command: str, code: int, says: str
) -> None:
    said = await terminal(*command.split())
    assert (said.code, said.err) == (code, "")
    assert said.out.splitlines()[0] == says


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("host web-1", "there is no host 'web-1'; see: watchkeeper hosts"),
        ("incidents 7", "there is no incident '7'; see: watchkeeper incidents --state all"),
        ("alerts --host web-1", "there is no host 'web-1'; see: watchkeeper hosts"),
    ],
)
async def test_what_is_not_there_is_refused_by_its_name(terminal: Terminal, command: str, says: str) -> None:
    said = await terminal(*command.split())
    assert (said.code, said.out, said.err) == (1, "", f"watchkeeper: {says}\n")


# --- a fleet ----------------------------------------------------------------------------------------------------------


async def test_status_says_what_is_wrong_and_ends_with_its_code(terminal: Terminal, fleet: Fleet) -> None:
    said = await terminal("status")
    assert said.code == 1
    assert said.out.startswith("warning: 1 incident and 1 alert open; 2 of 3 hosts heard, 1 never heard\n")
    assert "web-1 is busy" in said.out
    assert ["cpu", "54.5", "%", "97", "%", "web-1"] in columns(said.out, "OVER")


@pytest.mark.parametrize(("severity", "code"), [("info", 0), ("warning", 1), ("critical", 2)])
async def test_the_exit_code_of_status_is_that_of_a_plugin(
    terminal: Terminal, severity: str, code: int
) -> None:
    calm = await terminal.house.enrol("db-1")
    await calm.push({"cpu_used_pct": 3.0})
    assert (await terminal("status")).code == 0
    await terminal("open", "a leak", "--severity", severity)
    assert (await terminal("status")).code == code
    assert (await terminal("status", "--json")).code == code


async def test_hosts_have_their_numbers_and_the_fullest_disk(terminal: Terminal, fleet: Fleet) -> None:
    rows = columns((await terminal("hosts")).out, "HOST")
    assert [row[0] for row in rows] == ["cam", "db-1", "web-1"]
    assert rows[0][:3] == ["cam", "never", "never"]
    web = rows[2]
    assert web[:10] == ["web-1", "heard", "97", "%", "55", "%", "64", "%", "3.50", "1"]
    assert web[-3:] == ["s", "ago", "role=web"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("--sort cpu", ["web-1", "db-1", "cam"]),
        ("--sort memory", ["db-1", "web-1", "cam"]),
        ("--sort alerts --limit 1", ["web-1"]),
        ("--sort cpu --limit 1", ["web-1"]),
        ("db", ["db-1"]),
        ("--label role=web", ["web-1"]),
        ("--state never", ["cam"]),
    ],
)
async def test_hosts_are_sorted_and_chosen(
    terminal: Terminal, fleet: Fleet, arguments: str, names: list[str]
) -> None:
    said = await terminal("hosts", *arguments.split())
    assert [row[0] for row in columns(said.out, "HOST")] == names


async def test_a_host_is_told_with_its_checks_alerts_and_series(terminal: Terminal, fleet: Fleet) -> None:
    said = await terminal("host", "web-1")
    assert said.code == 0
    assert said.out.startswith("heard: web-1, seen ")
    assert "labels: role=web" in said.out
    assert "503 from the shop" in said.out
    assert "web-1 is busy" in said.out
    assert ["cpu_used_pct", "97", "%"] in columns(said.out, "SERIES")
    assert (await terminal("host", "show", "web-1")).out.splitlines()[1:] == said.out.splitlines()[1:]


async def test_a_host_that_is_nearly_called_so_is_offered(terminal: Terminal, fleet: Fleet) -> None:
    said = await terminal("host", "web")
    assert said.err == "watchkeeper: there is no host 'web'; did you mean web-1?\n"


async def test_alerts_name_the_incident_and_the_host(terminal: Terminal, fleet: Fleet) -> None:
    row = columns((await terminal("alerts", "--host", "web-1")).out, "INCIDENT")[0]
    assert (row[:2], row[-3:]) == (["1", "warning"], ["web-1", "is", "busy"])
    assert (await terminal("alerts", "--severity", "critical")).out == "No such alert.\n"


async def test_an_incident_is_told_with_its_timeline(terminal: Terminal, fleet: Fleet) -> None:
    await terminal("note", "1", "a build ran wild")
    said = await terminal("incidents", "1")
    assert said.out.startswith("warning: web-1 is busy\nincident 1, opened ")
    assert "nobody has it" in said.out
    assert "a build ran wild" in said.out
    assert "cpu-now about host:1/series:cpu_used_pct: ok to firing" in said.out


async def test_notices_say_what_became_of_them(terminal: Terminal, fleet: Fleet) -> None:
    row = columns((await terminal("notices", "--channel", "ops")).out, "WHEN")[0]
    assert row[3] in ("waiting", "sending", "sent")
    assert row[4] == "ops"
    assert (await terminal("notices", "--incident", "7")).out == "No such notice.\n"


# --- for programs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("hosts", "/hosts?service=false"),
        ("hosts --label role=db", "/hosts?service=false&label=role%3Ddb"),
        ("host web-1", "/hosts/1"),
        ("alerts", "/alerts"),
        ("incidents", "/incidents?state=open"),
        ("incidents 1", "/incidents/1"),
        ("silence list", "/silences"),
        ("maintenance list", "/maintenance"),
    ],
)
async def test_programs_read_what_the_api_answers(
    terminal: Terminal, fleet: Fleet, command: str, path: str
) -> None:
    assert await terminal.json(*command.split()) == await terminal.house.ask(path)


async def test_pages_are_put_together(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.cli.remote.client.PAGE", 2)
    names = [f"web-{number}" for number in range(5)]
    for name in names:
        await terminal.house.enrol(name)
    listed = await terminal.json("hosts")
    assert [host["name"] for host in listed["items"]] == names
    assert (listed["next"], listed["total"]) == (None, 5)
    some = await terminal.json("hosts", "--limit", "3")
    assert [host["name"] for host in some["items"]] == names[:3]
    assert some["next"]


# --- again and again --------------------------------------------------------------------------------------------------


async def test_what_is_watched_goes_on_until_it_is_ended(
    terminal: Terminal, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    def ends_after_three(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        assert seconds == 7
        if rounds == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("collector.cli.remote.command.time.sleep", ends_after_three)
    said = await terminal("status", "--watch", "7s")
    assert said.out.count("warning: 1 incident and 1 alert open") == 3
    assert said.code == 1
    assert "is too short or too long; write 1s to 1h" in (await terminal("status", "--watch", "10ms")).err
