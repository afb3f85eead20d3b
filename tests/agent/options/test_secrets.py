"""Secrets: shown to nobody by accident, and read from files of their own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent.options import ConfigError, Secret, convert, overlay_environment, parse_yaml, read_yaml
from tests.agent.options.settings import Strict, settings


def test_a_secret_prints_as_asterisks_and_can_be_revealed() -> None:
    secret = Secret("hunter2")
    assert {str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret} == {"********"}  # noqa: UP031
    assert (secret.reveal(), type(secret.reveal())) == ("hunter2", str)


def test_settings_never_show_a_secret() -> None:
    read = settings("token: hunter2")
    assert read.token is not None
    assert read.token.reveal() == "hunter2"
    assert "hunter2" not in repr(read) + str(read) + repr(msgspec.structs.asdict(read))


def test_a_secret_cannot_be_sent_by_accident() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(settings("token: hunter2"))


def test_a_secret_that_looks_like_a_number_is_its_text() -> None:
    token = settings("token: 0123").token
    assert token is not None
    assert token.reveal() == "0123"


def token_from(folder: Path, content: bytes) -> str:
    (folder / "x.yaml").write_text("token_file: secrets/token\nnames: [a]")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "token").write_bytes(content)
    return convert(read_yaml(folder / "x.yaml"), Strict).token.reveal()


@pytest.mark.parametrize(
    ("content", "token"), [(b"abc", "abc"), (b"abc\n", "abc"), (b"abc\r\n", "abc"), (b" a\n\n", " a\n")]
)
def test_a_secret_is_read_from_a_file_beside_the_yaml(tmp_path: Path, content: bytes, token: str) -> None:
    assert token_from(tmp_path, content) == token


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x" * (64 * 1024 + 1), "is larger than 64 KiB"),
        (b"\xff", "does not hold UTF-8 text"),
    ],
)
def test_a_file_without_a_secret_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        token_from(tmp_path, content)
    error = caught.value
    assert (error.line, error.path) == (1, "token_file")
    assert error.problem == f"{tmp_path}/secrets/token {said}"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "/missing cannot be read: no such file or directory"),
        (".", " is not a file"),
        ('"a\\0b"', "/a\\x00b cannot be read: embedded null byte"),
        ("~/token", "/~/token cannot be read: no such file or directory"),
    ],
)
def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "x.yaml").write_text(f"token_file: {path}\nnames: [a]")
    with pytest.raises(ConfigError) as caught:
        convert(read_yaml(tmp_path / "x.yaml"), Strict)
    assert str(caught.value) == f"{tmp_path}/x.yaml:1: token_file: {tmp_path}{said}"


def test_the_environment_hides_the_secret_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file")
    node = parse_yaml("agent: {token_file: missing, names: [a]}", file="x.yaml")
    plain = overlay_environment(node, {"WATCHKEEPER_AGENT__TOKEN": "plain"}, section="agent")
    assert convert(plain.get("agent"), Strict).token.reveal() == "plain"
    node = parse_yaml("agent: {token: in the yaml, names: [a]}", file="x.yaml")
    environ = {"WATCHKEEPER_AGENT__TOKEN_FILE": str(tmp_path / "token")}
    read = overlay_environment(node, environ, section="agent")
    assert convert(read.get("agent"), Strict).token.reveal() == "from a file"
