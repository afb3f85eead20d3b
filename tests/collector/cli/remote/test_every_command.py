"""Every command that can ask a collector, in whatever can go wrong: each ends in a way that somebody foresaw."""

from __future__ import annotations

import argparse
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.__main__ import _parser
from collector.cli.remote.command import DONE, REFUSED, UNREACHABLE
from collector.who import LOCAL
from tests.collector.api.house import Agent
from tests.collector.cli.conftest import Said
from tests.collector.cli.remote.conftest import Terminal, _run
from tests.collector.cli.remote.test_client import answer, listening, once
from tests.system.programs import free_port

MISTAKE = 2
COMMANDS = {
    "status": "",
    "hosts": "",
    "host show": "web-1",
    "alerts": "",
    "incidents": "",
    "ack": "1",
    "unack": "1",
    "note": "1 seen",
    "assign": "1 ada",
    "resolve": "1",
    "open": "leak",
    "silence add": "--host web-1 --for 2h",
    "silence list": "",
    "silence end": "1",
    "maintenance add": "patches --when daily --host web-1",
    "maintenance list": "",
    "maintenance remove": "1",
    "notices": "",
    "sla": "",
    "capacity": "",
    "advise": "",
}
"""Each with what it takes, in an order in which all of them can be done."""
WHEN = "daily 03:00 to 04:00"
ON_A_SCREEN = {"top"}
"""What needs a terminal of its own is tried in one (tests/system/test_top.py)."""


def words(command: str, *more: str) -> list[str]:
    given = [*command.split(), *COMMANDS[command].split(), *more]
    return [WHEN if word == "daily" else word for word in given]


def leaves(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, by its words."""
    if "command" in parser._defaults:
        yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action._name_parser_map.items():
                yield from leaves(inner, f"{path} {name}".strip())


def asking() -> set[str]:
    return {path for path, parser in leaves(_parser()) if "--token-file" in parser._option_string_actions}


def test_every_command_that_can_ask_is_tried_here() -> None:
    assert asking() == set(COMMANDS) | ON_A_SCREEN


Command = Callable[..., Said]


@pytest.fixture
def bare(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command, where there is no collector."""
    for name in ("WATCHKEEPER_URL", "WATCHKEEPER_TOKEN", "WATCHKEEPER_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = _run(list(arguments))
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


def told_in_a_line(said: Said) -> bool:
    """One sentence on stderr, and nothing that a program would take for an answer."""
    return said.out == "" and said.err.startswith("watchkeeper: ") and said.err.count("\n") == 1


# --- no collector, or none that can be understood ---------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_collector_that_is_away(bare: Command, command: str) -> None:
    said = bare(*words(command, "--url", f"http://127.0.0.1:{free_port()}"))
    assert (said.code, told_in_a_line(said)) == (UNREACHABLE, True), said
    assert "nothing listens at" in said.err


def drop_by_drop(peer: socket.socket) -> None:
    """Something every few moments, for ever: also what stands before the answer itself has to come in time."""
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-Never: ")
    while True:
        peer.sendall(b"x")
        time.sleep(0.02)


def silent(peer: socket.socket) -> None:
    while peer.recv(65_536):
        pass


@pytest.mark.parametrize("hang", [silent, drop_by_drop])
def test_a_collector_that_hangs_is_waited_for_as_long_as_was_said(
    bare: Command, hang: Callable[[socket.socket], None]
) -> None:
    for command in COMMANDS:
        with listening(hang) as port:
            began = time.monotonic()
            said = bare(*words(command, "--url", f"http://127.0.0.1:{port}", "--timeout", "100ms"))
            took_s = time.monotonic() - began
        assert said.code == UNREACHABLE, (command, said)
        assert "did not answer within 0.1 s" in said.err, command
        assert "Traceback" not in said.err
        assert took_s < 5, command


def test_of_what_changes_something_the_doubt_is_said_when_no_answer_came(bare: Command) -> None:
    with listening(silent) as port:
        said = bare("open", "leak", "--url", f"http://127.0.0.1:{port}", "--timeout", "100ms")
    assert "Whether it was done is not known: look before you try again" in said.err


UNEXPECTED = {
    "a page": answer(b"<!doctype html><title>It works!</title>"),
    "half of it": answer(b'{"items":[{"id":'),
    "a word": answer(b'"ok"'),
    "nothing": answer(b""),
    "letters that are none": answer(b"\xff\xfe{}"),
    "another list": answer(b'{"items":[{"id":"seven"}],"next":7}'),
    "another thing": answer(b'{"version":"0.0.1","hosts":12}'),
}


@pytest.mark.parametrize("kind", UNEXPECTED)
def test_what_answers_is_something_else(bare: Command, kind: str) -> None:
    with listening(once(UNEXPECTED[kind])) as port:
        for command in COMMANDS:
            said = bare(*words(command, "--url", f"http://127.0.0.1:{port}"))
            assert (said.code, said.err.count("\n")) == (UNREACHABLE, 1), (command, said)
            assert "what answers is no collector of this version" in said.err, command
            assert said.out == "", command


@pytest.mark.parametrize("kind", UNEXPECTED)
def test_a_program_is_never_handed_what_is_no_json(bare: Command, kind: str) -> None:
    with listening(once(UNEXPECTED[kind])) as port:
        for command in COMMANDS:
            said = bare(*words(command, "--url", f"http://127.0.0.1:{port}", "--json"))
            assert said.code in (DONE, UNREACHABLE), (command, said)
            assert (said.code == DONE) == bool(said.out), (command, said)
            if said.out:
                json.loads(said.out)


def test_an_older_collector_that_lacks_a_path_says_so(bare: Command) -> None:
    raw = answer(b'{"code":"missing","message":"there is nothing at this address"}', "404 Not Found")
    with listening(once(raw)) as port:
        for command in COMMANDS:
            said = bare(*words(command, "--url", f"http://127.0.0.1:{port}"))
            assert said.code == REFUSED, (command, said)
            assert "there is nothing at this address" in said.err, command


@pytest.mark.parametrize(
    "raw",
    [
        answer(b'{"code":"no","message":"no \\u001b[2J\\u001b]0;all is well\\u0007"}', "409 No"),
        b"SSH \x1b[2J\x1b]0;all is well\x07\r\n",
    ],
)
def test_what_answers_does_not_paint_the_terminal(bare: Command, raw: bytes) -> None:
    with listening(once(raw)) as port:
        said = bare("status", "--url", f"http://127.0.0.1:{port}")
    assert "all is well" in said.err
    assert said.err.removesuffix("\n").isprintable()


# --- no right ---------------------------------------------------------------------------------------------------------


async def test_without_the_right_the_right_is_named(terminal: Terminal, tmp_path: Path) -> None:
    desk = terminal.house.collector._parts.access.desk
    await desk.add_user(LOCAL, "ada", "owner", "correct horse battery")
    token = tmp_path / "token"
    text, _ = await desk.add_api_token(LOCAL, "auditor", ["monitoring.audit.read"], expires_at=None)
    for command in COMMANDS:
        token.write_text(text)
        said = await terminal.bare(*words(command, "--url", terminal.url, "--token-file", str(token)))
        assert said.code == REFUSED, (command, said)
        assert "it needs the right monitoring." in said.err, command
        token.write_text("wk_api_nobody_knows")
        said = await terminal.bare(*words(command, "--url", terminal.url, "--token-file", str(token)))
        assert (said.code, said.out) == (REFUSED, ""), (command, said)
        assert "give a token that holds" in said.err, command


# --- it works ---------------------------------------------------------------------------------------------------------


async def test_on_a_fleet_each_does_what_it_is_for(terminal: Terminal, fleet: dict[str, Agent]) -> None:
    await terminal.house.parts.capacity.round()
    for command in COMMANDS:
        said = await terminal.bare(*words(command, "--url", terminal.url))
        warned = 1 if command == "status" else DONE
        assert (said.code, said.err) == (warned, ""), (command, said)
        assert said.out.strip(), command


async def test_programs_get_json_from_each(terminal: Terminal, fleet: dict[str, Agent]) -> None:
    for command in COMMANDS:
        said = await terminal.bare(*words(command, "--url", terminal.url, "--json"))
        assert said.code == (1 if command == "status" else DONE), (command, said)
        if said.out.strip():
            json.loads(said.out)


async def test_a_collector_with_nothing_in_it_says_what_the_next_step_is(terminal: Terminal) -> None:
    steps = {
        "status": "watchkeeper join-command",
        "hosts": "watchkeeper join-command",
        "alerts": "watchkeeper alerts --state all",
        "incidents": "watchkeeper incidents --state all",
        "silence list": "watchkeeper silence add",
        "maintenance list": "watchkeeper maintenance add",
        "notices": "watchkeeper notify test ops",
        "sla": "`services:`",
        "capacity": "no host was looked at yet",
        "advise": "`scaling:`",
    }
    for command, step in steps.items():
        said = await terminal.bare(*command.split(), "--url", terminal.url)
        assert said.code == (3 if command == "status" else DONE), (command, said)
        assert step in said.out, (command, said)


# --- a name that is none ----------------------------------------------------------------------------------------------


MEANT = (
    ("host wbe-1", REFUSED, "did you mean web-1"),
    ("host WEB", REFUSED, "did you mean web-1"),
    ("alerts --host bd-1", REFUSED, "did you mean db-1"),
    ("alerts --rule cpu-nwo", REFUSED, "did you mean cpu-now"),
    ("capacity --host db1", REFUSED, "did you mean db-1"),
    ("advise --host db1", REFUSED, "did you mean db-1"),
    ("notices --channel op", REFUSED, "did you mean ops"),
    ("incidents 77", REFUSED, "see: watchkeeper incidents --state all"),
    ("ack 77", REFUSED, "see: watchkeeper incidents --state all"),
    ("resolve 77", REFUSED, "see: watchkeeper incidents --state all"),
    ("note 77 x", REFUSED, "see: watchkeeper incidents --state all"),
    ("assign 77 x", REFUSED, "see: watchkeeper incidents --state all"),
    ("silence end 77", REFUSED, "see: watchkeeper silence list"),
    ("maintenance remove 77", REFUSED, "see: watchkeeper maintenance list"),
    ("silence add --host wbe-1 --for 2h", DONE, "did you mean web-1"),
    ("stauts", MISTAKE, "did you mean status"),
    ("silence lits", MISTAKE, "did you mean list"),
    ("hosts --sort memroy", MISTAKE, "did you mean memory"),
    ("sla --window mounth", MISTAKE, "did you mean month"),
)


async def test_what_may_have_been_meant_is_said(terminal: Terminal, fleet: dict[str, Agent]) -> None:
    for arguments, code, meant in MEANT:
        said = await terminal.bare(*arguments.split(), "--url", terminal.url)
        assert said.code == code, (arguments, said)
        assert meant in said.err, (arguments, said)
