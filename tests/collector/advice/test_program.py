"""A hook that is a program: run for real, well and badly."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from collector.advice.orders import Order
from collector.advice.program import arguments, run
from tests.waiting import until_it_is

ORDER = Order(7, "shop", 3, 5, "up", "cpu is at 96 %", "auto", 1_760_000_000_000)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "hook"


def write(script: Path, body: str) -> list[str]:
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return [str(script)]


@pytest.mark.parametrize(
    ("body", "state", "answer", "sentence"),
    [
        ("echo scaled to $WATCHKEEPER_TO", "done", "exit code 0: scaled to 5", "it went well"),
        ("exit 3", "failed", "exit code 3", "it failed"),
        ("echo no such thing >&2; exit 1", "failed", "exit code 1: no such thing", "... and said why"),
        ("kill -9 $$", "unsure", "ended by signal 9", "it was shot"),
        (
            "echo $WATCHKEEPER_SERVICE $WATCHKEEPER_FROM $WATCHKEEPER_DIRECTION $WATCHKEEPER_BY",
            "done",
            "exit code 0: shop 3 up auto",
            "it is told all there is to know",
        ),
        ("printf 'a\\001b\\nc'", "done", "exit code 0: a b c", "what it says becomes one plain line"),
    ],
)
async def test_a_run(script: Path, body: str, state: str, answer: str, sentence: str) -> None:
    ran = await run(write(script, body), 10, ORDER)
    assert (ran.state, ran.answer) == (state, answer), sentence


async def test_no_shell_reads_its_arguments(script: Path) -> None:
    command = [*write(script, 'echo "$#" "$1" "$2"'), "--replicas={{to}}", "$(id); {{service}}"]
    assert arguments(command, ORDER)[1:] == ["--replicas=5", "$(id); shop"]
    assert (await run(command, 10, ORDER)).answer == "exit code 0: 2 --replicas=5 $(id); shop"


async def test_our_own_environment_stays_with_us(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_COLLECTOR__SECRET", "sesame")
    assert "sesame" not in (await run(write(script, "env"), 10, ORDER)).answer


async def test_one_that_hangs_is_ended_with_all_it_started(script: Path, tmp_path: Path) -> None:
    note = tmp_path / "child"
    command = write(script, f"sleep 600 & echo $! > {note}; echo waiting; wait")
    began = time.monotonic()
    ran = await run(command, 0.5, ORDER)
    assert (ran.state, ran.answer) == ("unsure", "stopped, as it had not ended after 0.5 s: waiting")
    assert time.monotonic() - began < 5
    await gone(int(note.read_text()))


async def test_one_that_will_not_end_is_made_to(script: Path) -> None:
    ran = await run(write(script, "trap '' TERM; while :; do sleep 0.1; done"), 0.3, ORDER)
    assert ran.state == "unsure"


async def test_however_much_it_says_a_line_is_kept(script: Path) -> None:
    ran = await run(write(script, "yes abcdefgh | head -c 20000000; exit 2"), 20, ORDER)
    assert ran.state == "failed"
    assert len(ran.answer) <= 300


async def test_one_that_leaves_something_behind_is_not_waited_for(script: Path) -> None:
    began = time.monotonic()
    ran = await run(write(script, "sleep 4 & echo started"), 10, ORDER)
    assert (ran.state, ran.answer) == ("done", "exit code 0: started")
    assert time.monotonic() - began < 3.8


async def test_a_program_that_is_not_there_is_a_failure_in_words() -> None:
    ran = await run(["/nowhere/at/all"], 5, ORDER)
    assert (ran.state, ran.answer) == (
        "failed",
        "/nowhere/at/all could not be started: No such file or directory",
    )


async def test_stopping_us_stops_it(script: Path, tmp_path: Path) -> None:
    note = tmp_path / "self"
    task = asyncio.create_task(run(write(script, f"echo $$ > {note}; exec sleep 600"), 60, ORDER))
    await until_it_is(lambda: note.exists() and note.read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(int(note.read_text()))


OURS = """
import sys, uvloop
from collector.advice.orders import Order
from collector.advice.program import run
uvloop.run(run(sys.argv[1:], 600, Order(7, "shop", 3, 5, "up", "cpu is at 96 %", "auto", 0)))
"""


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "])
async def test_it_does_not_outlive_us_however_we_end(script: Path, tmp_path: Path, stubborn: str) -> None:
    note = tmp_path / "both"
    command = write(script, f"{stubborn}sleep 600 & echo $$ $! > {note}; while :; do sleep 0.1; done")
    ours = await asyncio.create_subprocess_exec(sys.executable, "-c", OURS, *command)
    try:
        await until_it_is(lambda: note.exists() and len(note.read_text().split()) == 2)
        hook, child = map(int, note.read_text().split())
        assert alive(hook)
        assert alive(child)
    finally:
        ours.kill()
        await ours.wait()
    await gone(hook)
    await gone(child)


async def test_whoever_kills_what_runs_it_is_told_that_nobody_knows(script: Path) -> None:
    ran = await run(write(script, "echo begun; kill -9 $PPID; sleep 0.2"), 10, ORDER)
    assert (ran.state, ran.answer) == (
        "unsure",
        "what ran it was killed, so nobody knows how it ended: begun",
    )


async def gone(process: int) -> None:
    """An orphan is reaped by whoever adopts it, so being a zombie is being gone."""
    await until_it_is(lambda: not alive(process), 5)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
