"""How the agent is being stopped, and the word that says so: nobody is to be woken by a silence that was meant."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from agent.wire import Batch, Bye

SYSTEMD = Path("/run/systemd/system")
"""It is there when systemd runs the host, as sd_booted(3) says."""
JOBS = ("systemctl", "list-jobs", "--no-legend", "--no-pager")
ANSWER_S_MAX = 1.0
DOWN_FOR_GOOD = {"poweroff.target", "halt.target"}


def word(how: Bye, every_ms: int) -> Batch:
    """The last batch, which has no samples; its times and number are given when it is sent."""
    return Batch(0, 0, 0, every_ms, {}, bye=how)


def how_we_stop(systemd: Path = SYSTEMD) -> Bye:
    """`shutdown` when the host goes down to stay down. All else, a reboot too, promises to be back in a moment: should
    that not come true, somebody ought to hear of it."""
    if not systemd.is_dir():
        return "restart"
    try:
        done = subprocess.run(  # noqa: S603 - nothing in it comes from anywhere else
            JOBS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_S_MAX,
            text=True,
            env=os.environ | {"LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return "restart"
    return meant_by(done.stdout)


def meant_by(jobs: str) -> Bye:
    """What systemd's list of jobs (number, unit, type, state) says about how long we shall be away."""
    rows = [line.split() for line in jobs.splitlines()]
    started = {row[1] for row in rows if len(row) == 4 and row[2] == "start"}
    return "shutdown" if started & DOWN_FOR_GOOD else "restart"
