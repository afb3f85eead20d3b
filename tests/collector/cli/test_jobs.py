"""`watchkeeper jobs`: a row per job, in each of its states."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from agent.options import Secret
from collector.cli.jobs import rows_of
from collector.config.jobs import JobOptions
from collector.stores.sqlite import open_store
from rules.jobs import Job, began, ended
from tests.collector.cli.conftest import Command

NOW = 1_795_140_000_000
DAY = 86_400_000
BACKUP = JobOptions(name="backup", token=Secret("0123456789abcdef"), every_s=86_400)


@pytest.mark.parametrize(
    ("job", "state", "bad"),
    [
        (None, "new", False),
        (Job("backup", NOW - DAY), "new", False),
        (ended(Job("backup", 0), NOW - 1_000, 0, ""), "ok", False),
        (ended(Job("backup", 0), NOW - 1_000, 3, ""), "failed (3)", True),
        (began(Job("backup", NOW), NOW), "running", False),
        (ended(Job("backup", 0), NOW - DAY - 900_000, 0, ""), "late by 5 min", True),
    ],
)
def test_how_a_job_stands(job: Job | None, state: str, bad: bool) -> None:
    rows, is_bad = rows_of([BACKUP], {"backup": job} if job else {}, NOW)
    assert (rows[0][1], is_bad) == (state, bad)


def test_without_a_job_the_list_says_where_to_read_on(watchkeeper: Command) -> None:
    said = watchkeeper("jobs")
    assert (said.code, said.out) == (0, "No job yet. docs/channels.md says how one reports.\n")


def test_a_job_that_failed_is_shown_and_is_the_exit_code(
    watchkeeper: Command, state: Path, tmp_path: Path
) -> None:
    async def lived_in() -> None:
        store = await open_store(state, role="collector")
        await store.jobs.keep(ended(Job("backup", NOW), NOW, 2, "copying\nno space \x1b[31mleft\n\n"))
        await store.close()

    asyncio.run(lived_in())
    config = tmp_path / "collector.yaml"
    job = "{name: backup, token: 0123456789abcdef, every: 400d}"
    config.write_text(f"collector:\n  state: {state}\n  jobs:\n    - {job}\n")
    said = watchkeeper("jobs")
    assert said.code == 1
    assert "failed (2)" in said.out
    assert said.out.rstrip().endswith("no space \N{REPLACEMENT CHARACTER}[31mleft"), (
        "the last line that it said"
    )
    [job] = msgspec.json.decode(watchkeeper("jobs", "--json").out)
    assert (job["name"], job["exit_code"], job["words"], job["overdue_ms"]) == (
        "backup",
        2,
        "copying\nno space \x1b[31mleft\n\n",
        0,
    )
