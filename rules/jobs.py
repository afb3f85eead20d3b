"""Jobs that run elsewhere and tell when they ran: when one should have been heard of, and what to say until it is.

The absence of a word is the alarm. A job that started in time and still runs is in time, for as long as it may run.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from rules.times.cron import Cron

WORDS_LETTERS_MAX = 4_000

Word = Literal["start", "end"]


class Schedule(Struct, frozen=True):
    """When it is due: every so often after its last end, or when a cron expression says so."""

    due: int | Cron
    grace_ms: int
    runs_ms_max: int


class Job(Struct, frozen=True):
    """What is known of it: when it last began and ended, how, how long that took, and its last words.

    `known_since` is when we first heard that there should be such a job: it is not overdue on its first day.
    """

    name: str
    known_since: int
    started_at: int | None = None
    ended_at: int | None = None
    exit_code: int | None = None
    took_ms: int | None = None
    words: str = ""

    @property
    def runs_since(self) -> int | None:
        """When the run began that has not ended; None while it does not run."""
        if self.started_at is None or (self.ended_at is not None and self.ended_at >= self.started_at):
            return None
        return self.started_at


def began(job: Job, at: int) -> Job:
    return replace(job, started_at=at)


def ended(job: Job, at: int, exit_code: int, words: str) -> Job:
    """The end of the run that began last, or of one whose beginning nobody told. What matters of its words is most
    often at their end."""
    since = job.runs_since
    took_ms = max(0, at - since) if since is not None else None
    return replace(job, ended_at=at, exit_code=exit_code, took_ms=took_ms, words=words[-WORDS_LETTERS_MAX:])


def noted(job: Job, words: str) -> Job:
    """What it says in between changes nothing about when it is due."""
    return replace(job, words=words[-WORDS_LETTERS_MAX:])


def due_at(job: Job, schedule: Schedule) -> int | None:
    """When it should be heard of next, grace left aside; None when that is many years away."""
    heard_at = max(job.started_at or 0, job.ended_at or 0) or job.known_since
    if isinstance(schedule.due, int):
        return heard_at + schedule.due
    return schedule.due.next_after(heard_at)


def overdue_ms(job: Job, schedule: Schedule, now: int) -> int:
    """For how long it should have been heard of, grace included; 0 while all is as it should be."""
    since = job.runs_since
    if since is not None:
        return max(0, now - since - schedule.runs_ms_max)
    due = due_at(job, schedule)
    return 0 if due is None else max(0, now - due - schedule.grace_ms)


def series(job: Job, schedule: Schedule, now: int) -> dict[str, float]:
    """What rules and charts see of it."""
    found = {"job_overdue_s": overdue_ms(job, schedule, now) / 1000}
    if job.exit_code is not None:
        found["job_exit_code"] = float(job.exit_code)
    if job.took_ms is not None:
        found["job_took_s"] = job.took_ms / 1000
    since = job.runs_since
    found["job_runs_s"] = 0.0 if since is None else max(0, now - since) / 1000
    return found
