"""Users and tokens from a shell, over a real store; a collector that runs beside it notices."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

import msgspec
import pytest

from collector.stores.sqlite import open_store
from tests.collector.cli.conftest import Command, Said

PASSWORD = "correct horse battery"


@pytest.fixture
def typed(watchkeeper: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command whose standard input holds a password."""

    def command(*arguments: str | Path) -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        return watchkeeper(*arguments, "--password-stdin")

    return command


def test_the_first_user_is_an_owner_and_the_next_may_look(typed: Command, watchkeeper: Command) -> None:
    said = watchkeeper("user", "list")
    assert said.out == "No user yet. Make the first one, an owner, with: watchkeeper user add NAME\n"
    assert typed("user", "add", "ada", "--email", "ada@example.org").out == "ada can log in now, as owner.\n"
    assert typed("user", "add", "bob").out == "bob can log in now, as viewer.\n"
    assert typed("user", "add", "eve", "--role", "admin").out == "eve can log in now, as admin.\n"
    head, *rows = watchkeeper("user", "list").out.splitlines()
    assert head.split() == ["USER", "ROLE", "MAIL", "SINCE"]
    assert [row.split()[:2] for row in rows] == [["ada", "owner"], ["bob", "viewer"], ["eve", "admin"]]
    assert "ada@example.org" in rows[0]


def test_lists_for_programs_hold_everything_but_what_is_secret(typed: Command, watchkeeper: Command) -> None:
    typed("user", "add", "ada")
    watchkeeper("token", "add", "ci", "--may", "monitoring.read")
    [user] = msgspec.json.decode(watchkeeper("user", "list", "--json").out)
    [token] = msgspec.json.decode(watchkeeper("token", "list", "--json").out)
    assert (user["name"], user["role"], user["disabled_at"]) == ("ada", "owner", None)
    assert (token["name"], token["permissions"], token["used_at"]) == ("ci", ["monitoring.read"], None)
    assert "password_hash" not in user
    assert "secret_sha256" not in token


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("user", "add", "a b"), "is no name of a user; use letters"),
        (("user", "add", "ADA"), "there is a user named 'ADA' already"),
        (
            ("user", "add", "bob", "--role", "king"),
            "there is no role 'king'; there are owner, admin, member, viewer",
        ),
        (("user", "reset", "bob"), "there is no user 'bob'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    typed: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    typed("user", "add", "ada")
    said = typed(*arguments)
    assert said.code == 2
    assert sentence in said.err


def test_the_last_owner_stays(typed: Command, watchkeeper: Command) -> None:
    typed("user", "add", "ada")
    for arguments in (("disable", "ada"), ("role", "ada", "viewer")):
        said = watchkeeper("user", *arguments)
        assert (said.code, said.out) == (2, "")
        assert "ada is the last owner who can log in; make somebody else an owner first" in said.err
    typed("user", "add", "bob", "--role", "owner")
    assert watchkeeper("user", "disable", "ada").out == "ada is logged out, and cannot log in any more.\n"
    assert "disabled" in watchkeeper("user", "list").out
    assert watchkeeper("user", "enable", "ada").out == "ada can log in again.\n"
    assert watchkeeper("user", "role", "ada", "viewer").out == "ada is viewer from now on.\n"


def test_a_password_is_asked_for_twice_and_never_shown(
    watchkeeper: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([PASSWORD, "another one", "short", "short", PASSWORD, PASSWORD])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    said = watchkeeper("user", "add", "ada")
    assert (said.code, "the two passwords are not alike" in said.err) == (2, True)
    assert "a password has 10 letters at least" in watchkeeper("user", "add", "ada").err
    said = watchkeeper("user", "add", "ada")
    assert said.code == 0
    assert PASSWORD not in said.out + said.err


def test_without_a_terminal_the_password_has_to_be_on_stdin(
    watchkeeper: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert "give it on stdin, with --password-stdin" in watchkeeper("user", "add", "ada").err


def test_a_token_is_printed_once_listed_and_revoked(watchkeeper: Command) -> None:
    assert "No token yet." in watchkeeper("token", "list").out
    said = watchkeeper(
        "token", "add", "ci", "--may", "monitoring.read", "--may", "monitoring.write", "--for", "90d"
    )
    match = re.fullmatch(r"wk_api_([a-z0-9]{12})_([A-Za-z0-9]{40})\n", said.out)
    assert match is not None
    assert "shown once" in said.err
    listed = watchkeeper("token", "list").out
    assert re.search(
        rf"{match[1]}  ci    holds until \S.*never.*shell:\S+  monitoring.read monitoring.write", listed
    )
    assert match[2] not in listed
    assert watchkeeper("token", "revoke", match[1]).out == f"The token {match[1]} holds no more.\n"
    assert f"{match[1]}  ci    revoked" in watchkeeper("token", "list").out
    assert "there is no token 'nonsense'" in watchkeeper("token", "revoke", "nonsense").err
    wrong = watchkeeper("token", "add", "ci", "--may", "monitoring.raed")
    assert (wrong.code, "did you mean monitoring.read?" in wrong.err) == (2, True)


def test_the_trail_tells_who_did_it_and_holds_no_secret(
    typed: Command, watchkeeper: Command, state: Path
) -> None:
    typed("user", "add", "ada")
    typed("user", "reset", "ada")
    secret = watchkeeper("token", "add", "ci", "--may", "monitoring.read").out.strip().rpartition("_")[2]

    async def read() -> tuple[list[str], str]:
        store = await open_store(state, role="tool")
        rows = await store.people.audit(10)
        await store.close()
        return [row.what for row in reversed(rows)], repr(rows)

    whats, text = asyncio.run(read())
    assert whats == ["user.add", "user.password", "token.add"]
    assert "shell:" in text
    assert not any(word in text for word in (secret, PASSWORD, "argon2", "sha256"))
