"""Seeing what the agent sees: as its user, with its groups, and with the files that its unit leaves it."""

from __future__ import annotations

import ctypes
import encodings.idna  # noqa: F401 - Python loads it for the first name that is resolved: by then it may be out of sight
import os
import pwd
import re
from collections.abc import Iterator
from pathlib import Path

from agent.options.findings import Finding

ROOT = 0
NEW_MOUNTS = 0x00020000
"""CLONE_NEWNS, for which Python has a name from 3.12 on only."""


def borrow(agent: int | None, state: Path) -> Iterator[Finding]:
    """From now on this process sees as that agent does; without one, as whoever owns its folder. Only root can."""
    if os.geteuid() != ROOT:
        if agent is not None and (owner := Path(f"/proc/{agent}").stat().st_uid) != os.geteuid():
            yield Finding(
                "eyes",
                "look",
                f"this is not seen as the agent sees it, which is user {_name(owner)}",
                "run this as root",
            )
        return
    if agent is not None:
        yield from _as_process(agent)
    elif state.exists() and (owner := state.stat().st_uid) != ROOT:
        _become(owner, state.stat().st_gid, os.getgrouplist(_name(owner), state.stat().st_gid))


def _as_process(agent: int) -> Iterator[Finding]:
    status = Path(f"/proc/{agent}/status").read_text()
    user, group, *groups = (
        [int(number) for number in re.findall(r"\d+", line)]
        for line in re.findall(r"^(?:Uid|Gid|Groups):(.*)$", status, re.MULTILINE)
    )
    try:
        _share_mounts(agent)
    except OSError as error:
        words = f"the files are seen as they are here, not as the agent's unit shows them ({error.strerror})"
        yield Finding("eyes", "look", words)
    if user[1] != ROOT:
        _become(user[1], group[1], groups[0])


def _become(user: int, group: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(user)


def _share_mounts(pid: int) -> None:
    """OSError: it cannot be done here. Not to be called once there are threads."""
    theirs = Path(f"/proc/{pid}/ns/mnt")
    if theirs.readlink() == Path("/proc/self/ns/mnt").readlink():
        return
    descriptor = os.open(theirs, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, NEW_MOUNTS) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(descriptor)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
