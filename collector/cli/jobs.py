"""`watchkeeper jobs`: what runs elsewhere and reports, when it last did, and when it is due."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

import msgspec

from agent.options import say_duration
from collector.cli import Commands, House, add_config
from collector.cli.remote.paper import cut, plain
from collector.cli.tables import table
from collector.config.jobs import JobOptions
from rules import words
from rules.jobs import Job, due_at, overdue_ms

SAID_WIDTH = 60


def add_to(commands: Commands, house: House) -> None:
    jobs = commands.add_parser("jobs", help="jobs that report when they ran, and which are late")
    jobs.add_argument("--json", action="store_true", help="for programs")
    add_config(jobs)
    jobs.set_defaults(command=partial(_list, house))


def _list(house: House, arguments: argparse.Namespace) -> int:
    """The exit code is 1 while one of them is late or has failed, so that a script can ask."""
    loaded = house.load(arguments.config)

    async def show() -> int:
        async with house.store(loaded) as store:
            known = {job.name: job for job in await store.jobs.all()}
        rows, bad = rows_of(loaded.config.jobs, known, house.now_ms())
        if arguments.json:
            print(json_of(loaded.config.jobs, known, house.now_ms()))
            return int(bad)
        if not rows:
            print("No job yet. docs/channels.md says how one reports.")
            return 0
        print(*table(("JOB", "STATE", "LAST END", "TOOK", "DUE", "SAID"), rows), sep="\n")
        return int(bad)

    return house.run(show())


def rows_of(
    expected: Sequence[JobOptions], known: dict[str, Job], now: int
) -> tuple[list[tuple[str, ...]], bool]:
    """A row for each job, and whether one is late or has failed. One that the collector has not met yet is new."""
    rows: list[tuple[str, ...]] = []
    bad = False
    for options in expected:
        job = known.get(options.name) or Job(options.name, now)
        late_ms = overdue_ms(job, options.schedule, now)
        bad = bad or late_ms > 0 or bool(job.exit_code)
        due = due_at(job, options.schedule)
        rows.append(
            (
                job.name,
                _state(job, late_ms),
                words.moment(job.ended_at) if job.ended_at is not None else "never",
                say_duration(job.took_ms / 1000) if job.took_ms is not None else "",
                words.moment(due) if due is not None else "",
                cut(plain(_last_line(job.words)), SAID_WIDTH),
            )
        )
    return rows, bad


def json_of(expected: Sequence[JobOptions], known: dict[str, Job], now: int) -> str:
    """All that is known of each, and for how long it should have been heard of."""
    found = []
    for options in expected:
        job = known.get(options.name) or Job(options.name, now)
        late_ms, due = overdue_ms(job, options.schedule, now), due_at(job, options.schedule)
        found.append({**msgspec.structs.asdict(job), "due_at": due, "overdue_ms": late_ms})
    return msgspec.json.encode(found).decode()


def _last_line(said: str) -> str:
    """What matters most of what a program said."""
    return next((line for line in reversed(said.splitlines()) if line.strip()), "").strip()


def _state(job: Job, late_ms: int) -> str:
    if late_ms:
        return f"late by {words.duration(late_ms)}"
    if job.runs_since is not None:
        return "running"
    if job.exit_code:
        return f"failed ({job.exit_code})"
    return "new" if job.ended_at is None else "ok"
