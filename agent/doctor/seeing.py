"""What each check gets to see, asked once as the agent asks it, and what would let it see more."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from agent import once
from agent.checks.clock import STA_UNSYNC, adjtimex
from agent.clock import system_clock
from agent.config import Loaded, PlannedCheck
from agent.options.findings import Finding
from agent.wire import CheckState

NOT_THERE = "put its name right in the config, or have it made; the check answers as soon as it is there"
KEEP_TIME = "apt-get install systemd-timesyncd (or chrony)"


def clock() -> Iterator[Finding]:
    """Whether something keeps this host's clock."""
    try:
        is_kept = not adjtimex().status & STA_UNSYNC
    except OSError:
        return  # the kernel may not be asked here; the check `clock` says so
    if is_kept:
        yield Finding("clock", "ok", "a program keeps it in step with the world's time")
    else:
        yield Finding("clock", "look", "nothing keeps it in step with the world's time", KEEP_TIME)


def checks(loaded: Loaded) -> Iterator[Finding]:
    """Those that get no answer, and those that have nothing to tell here; the others in one line."""
    config = loaded.config
    seen = once.look(loaded.checks, config.labels, config.every_ms, system_clock())
    plans = {plan.id: plan for plan in loaded.checks}
    others = [answer for answer in seen.batch.checks if answer.state != "unknown"]
    yield Finding("checks", "ok", f"{len(others)} of {len(plans)} get an answer")
    for answer in seen.batch.checks:
        if answer.state == "unknown":
            yield _blind(answer, plans[answer.id])
        elif not seen.series.get(answer.id) and answer.detail:
            yield Finding(f"check {answer.id}", "ok", f"has nothing to tell here: {answer.detail}")


def _blind(answer: CheckState, plan: PlannedCheck) -> Finding:
    do = (
        NOT_THERE
        if os.strerror(errno.ENOENT) in answer.detail
        else str(getattr(plan.kind.module, "RIGHTS", ""))
    )
    return Finding(
        f"check {answer.id}", "bad", f"gets no answer: {answer.detail or 'no reason is known'}", do
    )
