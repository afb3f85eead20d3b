"""Whether an agent is at work here, and what systemd says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.checks._dbus import Bus, BusError
from agent.checks.systemd import BOOTED, BUS, MANAGER, OBJECT, SYSTEMD, Unit, units_in
from agent.net.dial import Deadline
from agent.options.findings import Finding
from agent.spool.folder import LOCK

UNIT = "watchkeeper-agent.service"
LOCKS = Path("/proc/locks")
ANSWER_S_MAX = 3.0
START = "systemctl start watchkeeper-agent; journalctl --unit watchkeeper-agent --lines 20"


def holder(state: Path, locks: Path = LOCKS) -> int | None:
    """The agent at work in this folder, by the lock that it holds. Nothing is locked to find out: an agent that starts
    just now would take us for another one."""
    try:
        inode = (state / "spool" / LOCK).stat().st_ino
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return int(words[4]) if int(words[4]) > 0 else None
    return None


def look(agent: int | None, bus: str = BUS, booted: Path = BOOTED) -> Iterator[Finding]:
    unit = _unit(bus) if booted.is_dir() else None
    is_installed = unit is not None and unit.loaded != "not-found"
    if agent is not None:
        how = f"{UNIT}, {unit.active}" if unit is not None and is_installed else "not by a unit of systemd's"
        yield Finding("agent", "ok", f"runs as process {agent} ({how})")
    elif unit is not None and is_installed:
        yield Finding("agent", "bad", f"does not run: {UNIT} is {unit.active} ({unit.sub})", START)
    else:
        yield Finding("agent", "bad", "does not run here", "watchkeeper-agent run")


def _unit(bus: str) -> Unit | None:
    """How systemd says our unit stands; None when it does not say."""
    connection = Bus(bus)
    try:
        reply = connection.call(
            SYSTEMD, OBJECT, f"{MANAGER}.ListUnitsByNames", [[UNIT]], Deadline(ANSWER_S_MAX)
        )
        return next(units_in(reply), None)
    except (BusError, ValueError):
        return None
    finally:
        connection.close()
