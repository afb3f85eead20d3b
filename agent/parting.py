"""How the agent is being stopped, and the word that says so: nobody is to be woken by a silence that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.checks._dbus import Bus, BusError, Reader
from agent.checks.systemd import BOOTED, BUS, MANAGER, OBJECT, SYSTEMD
from agent.net.dial import Deadline
from agent.wire import Batch, Bye

ANSWER_S_MAX = 3.0
"""A host that goes down is busy, and an answer taken for granted would be the wrong one."""
IN_WORDS: dict[Bye, str] = {"restart": "back in a moment", "shutdown": "this host goes down"}
DOWN_FOR_GOOD = {"poweroff.target", "halt.target"}


def word(how: Bye, every_ms: int) -> Batch:
    """The last batch, which has no samples; its times and number are given when it is sent."""
    return Batch(0, 0, 0, every_ms, {}, bye=how)


def how_we_stop(bus: str = BUS, booted: Path = BOOTED) -> Bye:
    """`shutdown` when the host goes down to stay down. All else, a reboot too, promises to be back in a moment: should
    that not come true, somebody ought to hear of it."""
    if not booted.is_dir():
        return "restart"
    connection = Bus(bus)
    try:
        reply = connection.call(SYSTEMD, OBJECT, f"{MANAGER}.ListJobs", (), Deadline(ANSWER_S_MAX))
        return meant_by(jobs_in(reply))
    except (BusError, ValueError):
        return "restart"
    finally:
        connection.close()


def jobs_in(reply: Reader) -> Iterator[tuple[str, str]]:
    """The unit and the type of each job, from a list of (number, unit, type, state, path of job, path of unit)."""
    length = reply.u32()
    reply.align(8)
    end = reply.place + length
    while reply.place < end:
        reply.align(8)
        reply.u32()
        unit, kind, _, _, _ = (reply.string() for _ in range(5))
        yield unit, kind


def meant_by(jobs: Iterator[tuple[str, str]]) -> Bye:
    """What the jobs that systemd has in hand say about how long we shall be away."""
    started = {unit for unit, kind in jobs if kind == "start"}
    return "shutdown" if started & DOWN_FOR_GOOD else "restart"
