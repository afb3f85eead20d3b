"""`watchkeeper-agent doctor`: what is configured, what of it works, and what to do about the rest.

Nothing is changed, and nothing is sent but one question to each collector whether it takes the token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.config import Loaded, need_token, read
from agent.doctor import eyes, room, running, seeing, way
from agent.options import ConfigError
from agent.options.findings import Finding

WORLD_READABLE = 0o004


def examine(path: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at one thing after the other. As root, the later ones are looked at with the agent's own eyes: what root
    may do says nothing about what the agent may."""
    loaded = _read(path, environ)
    if isinstance(loaded, Finding):
        yield loaded
        return
    yield _config(loaded)
    yield from _secrets(loaded)
    agent = running.holder(loaded.config.state)
    yield from running.look(agent)
    yield from eyes.borrow(agent, loaded.config.state)
    yield from room.look(loaded.config, is_running=agent is not None)
    yield from seeing.clock()
    yield from way.look(loaded)
    yield from seeing.checks(loaded)


def alive(path: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether an agent runs here with this config: cheap enough to be asked every minute."""
    loaded = _read(path, environ)
    if isinstance(loaded, Finding):
        yield loaded
    else:
        yield from running.look(running.holder(loaded.config.state))


def _read(path: Path | None, environ: Mapping[str, str]) -> Loaded | Finding:
    try:
        loaded = read(path and path.absolute(), environ)
        need_token(loaded)
    except ConfigError as mistake:
        return Finding(
            "config", "bad", str(mistake), "put it right, then: systemctl restart watchkeeper-agent"
        )
    return loaded


def _config(loaded: Loaded) -> Finding:
    whom = ", else ".join(loaded.config.collectors)
    return Finding("config", "ok", f"{loaded.section.file}: {len(loaded.checks)} checks, pushed to {whom}")


def _secrets(loaded: Loaded) -> Iterator[Finding]:
    """Whether everybody on this host can read the token."""
    written = loaded.section.entries().get("token") or loaded.section.entries().get("token_file")
    if written is None:
        return
    file = Path(written.file)
    token_file = loaded.section.get("token_file").value
    if isinstance(token_file, str):
        file = file.parent / token_file
    try:
        mode = file.stat().st_mode
    except OSError:
        return  # the environment holds it, or it was handed to the service alone
    if mode & WORLD_READABLE:
        yield Finding(
            "token",
            "look",
            f"everybody on this host can read {file}",
            f"chmod o= {file} (the agent's group reads it)",
        )
    else:
        yield Finding("token", "ok", f"{file} is not for everybody (mode {mode & 0o777:o})")
