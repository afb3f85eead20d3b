"""Which collector a command speaks to, and as whom: arguments before the environment, and that before the config."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from collector.cli import up
from collector.cli.remote.place import Place, Unreachable, add_place, parse_pin, parse_url, place_of
from collector.config import load

PIN = "sha256:" + ":".join(["Ab"] * 32)
HEX = "ab" * 32
FAR = "https://watch.example.org"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A machine with a collector that was started: its config and the token it left."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "local.token").write_text("wk_api_local\n")
    (tmp_path / "collector.yaml").write_text("collector:\n  listen: 127.0.0.1:8499\n  state: state\n")
    (tmp_path / "token").write_text("wk_api_file\n")
    (tmp_path / "ca.pem").write_text("")
    return tmp_path


def asked(folder: Path, arguments: str, **environ: str) -> Place:
    parser = argparse.ArgumentParser()
    add_place(parser)
    given = parser.parse_args(arguments.format(here=folder).split())
    environ = {name: text.format(here=folder) for name, text in environ.items()}
    return place_of(given, lambda path: load(path or folder / "collector.yaml", {}), environ)


@pytest.mark.parametrize(
    ("arguments", "environ", "url", "token"),
    [
        ("", {}, "http://127.0.0.1:8499", "wk_api_local"),
        ("--token-file {here}/token", {}, "http://127.0.0.1:8499", "wk_api_file"),
        ("", {"WATCHKEEPER_TOKEN": "wk_api_env"}, "http://127.0.0.1:8499", "wk_api_env"),
        ("", {"WATCHKEEPER_URL": FAR}, FAR, ""),
        ("", {"WATCHKEEPER_URL": FAR, "WATCHKEEPER_TOKEN": "wk_api_env"}, FAR, "wk_api_env"),
        ("", {"WATCHKEEPER_URL": FAR, "WATCHKEEPER_TOKEN_FILE": "{here}/token"}, FAR, "wk_api_file"),
        ("--token-file {here}/token", {"WATCHKEEPER_URL": FAR, "WATCHKEEPER_TOKEN": "x"}, FAR, "wk_api_file"),
        ("--config {here}/collector.yaml", {"WATCHKEEPER_URL": FAR}, "http://127.0.0.1:8499", "wk_api_local"),
        ("--url https://other.example.org/watch/", {"WATCHKEEPER_URL": FAR}, "https://other.example.org/watch", ""),
        ("--url http://localhost:1 --token-file {here}/token", {}, "http://localhost:1", "wk_api_file"),
        ("--url http://[::1]:1 --token-file {here}/token", {}, "http://[::1]:1", "wk_api_file"),
        ("--url http://10.0.0.7 --token-file {here}/token --allow-plaintext", {}, "http://10.0.0.7", "wk_api_file"),
    ],
)  # fmt: skip
def test_what_is_said_nearest_holds(
    folder: Path, arguments: str, environ: dict[str, str], url: str, token: str
) -> None:
    place = asked(folder, arguments, **environ)
    assert (place.url, place.token) == (url, token)


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        ("--url https://a --config {here}/collector.yaml", {}, "each name a collector; give one"),
        ("--url http://10.0.0.7 --token-file {here}/token", {}, "would cross the network unencrypted"),
        ("", {"WATCHKEEPER_URL": "watch"}, "WATCHKEEPER_URL: 'watch' is no web address"),
        ("", {"WATCHKEEPER_TOKEN": "two words"}, "WATCHKEEPER_TOKEN is no API token"),
        ("--token-file {here}/none", {}, "--token-file: {here}/none cannot be read: no such file"),
        ("--token-file {here}/ca.pem", {}, "ca.pem is empty; it is to hold an API token"),
    ],
)
def test_what_cannot_be_meant_is_said(
    folder: Path, arguments: str, environ: dict[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says.format(here=folder))):
        asked(folder, arguments, **environ)


def test_a_token_is_never_repeated(folder: Path) -> None:
    (folder / "token").write_text("se cret")
    with pytest.raises(ValueError, match="is no API token") as error:
        asked(folder, "--token-file {here}/token")
    assert "cret" not in str(error.value)
    assert "wk_api" not in repr(asked(folder, ""))


@pytest.mark.parametrize(
    ("listen", "url"), [("0.0.0.0:8499", "http://127.0.0.1:8499"), ("'[::]:8499'", "http://[::1]:8499")]
)
def test_whoever_listens_everywhere_is_asked_on_loopback(folder: Path, listen: str, url: str) -> None:
    (folder / "collector.yaml").write_text(f"collector:\n  listen: {listen}\n  state: state\n")
    assert asked(folder, "").url == url


def test_without_a_collector_that_was_started_the_next_step_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "state" / "local.token").unlink()
    with pytest.raises(Unreachable, match="is not there: no collector was started here") as trouble:
        asked(folder, "")
    assert "--config FILE" in str(trouble.value)
    assert "--url URL" in str(trouble.value)


def test_whoever_only_tried_it_out_is_told_of_the_config_that_lies_before_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "state" / "local.token").unlink()
    monkeypatch.chdir(folder)
    up.Folder(folder / ".watchkeeper")
    with pytest.raises(Unreachable, match=r"\(--config \.watchkeeper/collector\.yaml\)"):
        asked(folder, "")
    with pytest.raises(Unreachable, match=r"\(--config FILE\)"):
        asked(folder, "--config {here}/collector.yaml")


def test_fingerprints_and_addresses() -> None:
    assert parse_pin(PIN) == parse_pin(f"sha256:{HEX}") == HEX
    with pytest.raises(ValueError, match="is no fingerprint; write sha256: and 64 digits"):
        parse_pin("sha1:ab")
    with pytest.raises(ValueError, match="has no port from 1 to 65535"):
        parse_url("http://a:99999")
