"""The two files that a host has of its joining: agent.yaml, and beside it the token, for the agent alone.

An agent.yaml that was written by hand may hold the token itself; then that is where the next one goes.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from agent import wire
from agent.config import Loaded, loaded_of
from agent.options import ConfigError, Node, overlay_environment, parse_yaml, read_yaml

SERVICE_USER = "watchkeeper-agent"
TOKEN, TOKEN_FILE = "WATCHKEEPER_AGENT__TOKEN", "WATCHKEEPER_AGENT__TOKEN_FILE"
ANY_TOKEN = f"wk_agent_none_{'0' * 12}_{'0' * 40}"
"""In the place of the one that is not there yet, so that the rest of a config can be looked over."""
TOKEN_MODE, CONFIG_MODE, FOLDER_MODE = 0o600, 0o640, 0o755


class Place(Struct, frozen=True):
    """Where things are put. `token` is the one that is there now, if any, and `around` what stands before and behind
    it in its file; `text` is what is to be written to `config`, empty where that is there already."""

    config: Path
    token_file: Path
    loaded: Loaded
    token: str = ""
    around: tuple[str, str] = ("", "\n")
    text: str = ""


def existing(config: Path, environ: Mapping[str, str]) -> Place:
    """As a config that is there has it. ConfigError."""
    root = read_yaml(config)
    entries = overlay_environment(root, environ, section="agent").get("agent").entries()
    named, token = entries.get("token_file"), entries.get("token")
    if named is None and token is not None:
        loaded = _looked_over(root, environ)
        return Place(config, config, loaded, token=_valid(token.text), around=_around(config, token))
    if named is None:
        raise ConfigError(
            str(config), None, "agent.token_file", "is missing; add `token_file: agent.token`, for the token"
        )
    file = Path(named.file).parent / named.text
    return Place(config, file, _looked_over(root, environ), token=_token_in(file))


def _around(config: Path, token: Node) -> tuple[str, str]:
    """Of a config that holds the token itself. ConfigError."""
    text = config.read_text()
    if token.line is None or not token.text or text.count(token.text) != 1:
        raise token.error("cannot be replaced there; have it in a file, `token_file: agent.token`, instead")
    before, _, behind = text.partition(token.text)
    return before, behind


def fresh(config: Path, text: str, environ: Mapping[str, str]) -> Place:
    """As a config of this text will have it. ConfigError."""
    loaded = _looked_over(parse_yaml(text, file=str(config)), environ)
    file = config.parent / "agent.token"
    return Place(config, file, loaded, token=_token_in(file), text=text)


def _looked_over(root: Node, environ: Mapping[str, str]) -> Loaded:
    others = {name: text for name, text in environ.items() if name != TOKEN_FILE}
    return loaded_of(root, {**others, TOKEN: ANY_TOKEN})


def _token_in(file: Path) -> str:
    """Empty when there is none that is of any use."""
    try:
        return _valid(file.read_text().strip())
    except (OSError, UnicodeDecodeError):
        return ""


def _valid(token: str) -> str:
    """Empty when it is none."""
    try:
        return str(wire.parse_token(token))
    except ValueError:
        return ""


def see_that_it_can_be_written(place: Place) -> None:
    """Before a code is used up for nothing. OSError."""
    for file in (place.config, place.token_file):
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        if not os.access(file.parent, os.W_OK | os.X_OK):
            raise PermissionError(f"{file.parent} cannot be written to; run this as root (sudo)")


def write(place: Place, token: str) -> None:
    """The token first: an agent that finds a config finds its token as well. OSError."""
    before, behind = place.around
    _put(place.token_file, f"{before}{token}{behind}", TOKEN_MODE, owned=True)
    if place.text:
        _put(place.config, place.text, CONFIG_MODE, owned=False)


def _put(file: Path, text: str, mode: int, *, owned: bool) -> None:
    """Whole or not at all. A file that was there keeps its owner and mode; a new one, written by root where the agent
    has a user of its own, is that user's to read, and if `owned` its own."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)
            opened.flush()
            owner, mode = _owner(file, mode, owned=owned)
            if owner is not None:
                os.fchown(opened.fileno(), *owner)
            os.fchmod(opened.fileno(), mode)
            os.fsync(opened.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _owner(file: Path, mode: int, *, owned: bool) -> tuple[tuple[int, int] | None, int]:
    with contextlib.suppress(FileNotFoundError):
        found = file.stat()
        return ((found.st_uid, found.st_gid) if os.geteuid() == 0 else None), found.st_mode & 0o777
    if os.geteuid() != 0:
        return None, mode
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None, mode
    return (user.pw_uid if owned else 0, user.pw_gid), mode
