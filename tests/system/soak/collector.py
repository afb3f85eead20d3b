"""A collector with a hundred hosts, and all that can happen to it at once and again and again.

It is read, written to, listened to, logged in to, told of jobs, lied to; its hosts breach by turns, reconnect, come
back with a backlog, are enrolled and removed; whom it tells is deaf now and then; its config is read again. Hosts push
once a second, so an hour of their batches passes in six minutes. After two fifths of the time, and at the end,
everybody leaves, and what it holds then is compared.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from msgspec import Struct

from tests.bench.fleet import DEFAULT_PACKS, enrolled
from tests.bench.pushes import BREACH_RULE
from tests.system.far_side import FarSide
from tests.system.harness import Collector, Stage
from tests.system.programs import PATIENCE_S, ROOT, environ, wait_until
from tests.system.soak.crowd import Crowd
from tests.system.soak.inside import Inside
from tests.system.soak.looks import Look, look

HOSTS = 100
LOOK_EVERY_S, INSIDE_EVERY_S, RELOAD_EVERY_S = 0.5, 60.0, 20.0
WARM_UP = 0.4
GROWTH_MIB_MAX, GROWTH_MIB_PER_MINUTE = 6.0, 1.0
"""Of what is its own, from one time that it is alone to the next. What is remembered of incidents that are over is let
go of after ten minutes only."""
LOOKS_ALONE = 8
POOLS = 4
"""Threads and connections to the database that pools may still begin after the warm-up."""
LOGIN = ("ada", "correct horse battery")
JOB = "soakedsoakedsoaked"


class Seen(Struct, frozen=True):
    look: Look
    inside: Inside
    store_mib: float

    @property
    def own_mib(self) -> float:
        """Without what SQLite remembers of its file, which has its bound, and what is free."""
        return self.look.resident_mib - self.inside.sqlite_mib - self.inside.free_mib

    def __str__(self) -> str:
        seen, one = self.look, self.inside
        return (
            f"{seen.at_s:6.0f} s {seen.resident_mib:7.2f} MiB (in use {one.heap_mib:.1f}, free {one.free_mib:.1f}, "
            f"SQLite {one.sqlite_mib:.1f}, its own {self.own_mib:.1f}) {seen.descriptors} descriptors "
            f"{seen.threads} threads {one.tasks} tasks {one.objects:,} objects, store {self.store_mib:.1f} MiB"
        )


class Soak(Struct):
    """What was seen: before anybody came, while they were there, and each time that everybody had left. `looks` are
    those after the warm-up."""

    at_first: Seen
    looks: list[Look]
    quiet: tuple[Seen, Seen]
    done: Counter[str]
    wrong: list[str]
    stays: list[str]

    def faults(self) -> list[str]:
        """In words what should not be; nothing when all is well."""
        found = self.wrong[:20]
        before, after = self.quiet
        most = GROWTH_MIB_MAX + GROWTH_MIB_PER_MINUTE * (after.look.at_s - before.look.at_s) / 60
        if (grown := after.own_mib - before.own_mib) > most:
            found.append(f"memory grew by {grown:.2f} MiB")
        for what, was, now in (
            ("descriptors", before.look.descriptors, after.look.descriptors),
            ("threads", before.look.threads, after.look.threads),
            ("tasks", self.at_first.inside.tasks, after.inside.tasks),
        ):
            if now > was + POOLS:
                found.append(f"{what} grew from {was} to {now}, and nobody is there")
        return found

    def summary(self) -> list[str]:
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.done.items()))
        was, now = (seen.inside.held for seen in self.quiet)
        grown = sorted(((now[name] - was.get(name, 0), name) for name in now), reverse=True)
        more = [f"grew by {count:,} to {now[name]:,}: {name}" for count, name in grown[:25] if count > 0]
        return [f"done: {told}", *more, *self.stays]


class Watched(Collector):
    """The collector as it is, telling what it holds when it is asked."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self._answers = folder / "inside.json"
        command = [sys.executable, "-m", "tests.system.soak.inside", str(self._answers)]
        self._command = [*command, "serve", "--config", str(self.config)]

    def seen(self, at_s: float) -> Seen:
        seen = look(self.pid, at_s)
        files = self.database.parent.glob("watchkeeper.db*")
        inside = msgspec.json.decode(self._tell(signal.SIGUSR1), type=Inside)
        return Seen(seen, inside, sum(file.stat().st_size for file in files) / 2**20)

    def what_stays(self) -> list[str]:
        return msgspec.json.decode(self._tell(signal.SIGUSR2), type=list[str])

    def _tell(self, number: signal.Signals) -> bytes:
        self._answers.unlink(missing_ok=True)
        self.send(number)
        wait_until("the collector to tell what it holds", self._answers.exists)
        return self._answers.read_bytes()


def run(
    folder: Path,
    seconds: float,
    *,
    hosts: int = HOSTS,
    trace: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Soak:
    """AssertionError when the collector ends by itself, or somebody who has left is never let go of."""
    stage = Stage(folder)
    try:
        far = stage.far_side()
        collector, tokens = _collector(stage, far, hosts)
        token = (collector.database.parent / "local.token").read_text().strip()
        crowd, began_s = Crowd(collector.url, tokens, token, LOGIN, JOB, far), time.monotonic()
        at_first = collector.seen(0)
        tell(str(at_first))
        _crowded(collector, crowd, began_s, seconds * WARM_UP, tell)
        warm = _quiet(collector, began_s, at_first, tell)
        if trace:
            collector.what_stays()
        looks = _crowded(collector, crowd, began_s, seconds * (1 - WARM_UP), tell)
        quiet = _quiet(collector, began_s, at_first, tell)
        stays = collector.what_stays() if trace else []
        assert collector.stop() == 0
        wrong = crowd.faults + [line for line in collector.said.splitlines() if "Traceback" in line]
        return Soak(at_first, looks, (warm, quiet), crowd.done, wrong, stays)
    finally:
        stage.end()


def _collector(stage: Stage, far: FarSide, hosts: int) -> tuple[Watched, list[str]]:
    """It serves, its hosts are enrolled, and there is a user."""
    made: Watched = stage.keep(
        Watched(
            stage.folder / "collector",
            rules=[{**BREACH_RULE, "for": "0s"}],
            channels=[far.hook_channel],
            settings={
                "packs": list(DEFAULT_PACKS),
                "access": {"requests_per_s": 10_000, "requests_burst": 100_000},
                "jobs": [{"name": "soaked", "token": JOB, "every": "1m"}],
                "services": [
                    {
                        "name": "shop",
                        "hosts": {"where": {"role": "guest"}, "need": "any"},
                        "objective_pct": 99.9,
                    }
                ],
            },
        )
    )
    tokens = asyncio.run(enrolled(made.database.parent, hosts))
    name, password = LOGIN
    command = [sys.executable, "-m", "collector", "user", "add", name, "--role", "owner", "--password-stdin"]
    done = subprocess.run(
        [*command, "--config", str(made.config)],
        input=password, cwd=ROOT, env=environ(), text=True, capture_output=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made.start()
    return made, tokens


def _crowded(
    collector: Watched, crowd: Crowd, began_s: float, seconds: float, tell: Callable[[str], None]
) -> list[Look]:
    """Look again and again while everybody is there."""

    def work() -> None:
        try:
            uvloop.run(crowd.work(seconds))
        except Exception as error:
            crowd.faults.append(repr(error))

    crowding = threading.Thread(target=work, daemon=True)
    crowding.start()
    looks: list[Look] = []
    told_s = reloaded_s = time.monotonic()
    while crowding.is_alive():
        now_s = time.monotonic()
        assert collector.alive, collector.said[-2_000:]
        looks.append(look(collector.pid, now_s - began_s))
        if now_s - reloaded_s > RELOAD_EVERY_S:
            reloaded_s = now_s
            collector.send(signal.SIGHUP)
        if now_s - told_s > INSIDE_EVERY_S:
            told_s = now_s
            tell(str(collector.seen(now_s - began_s)))
        crowding.join(LOOK_EVERY_S)
    return looks


def _quiet(collector: Watched, began_s: float, at_first: Seen, tell: Callable[[str], None]) -> Seen:
    """How it is once everybody has been let go of, at its least: something always comes round."""

    def seen() -> Seen | None:
        one = collector.seen(time.monotonic() - began_s)
        time.sleep(LOOK_EVERY_S)
        return one if one.inside.tasks <= at_first.inside.tasks + POOLS else None

    found = [wait_until("the collector to be alone", seen, every_s=1.0) for _ in range(LOOKS_ALONE)]
    quiet = min(found, key=lambda one: one.own_mib)
    tell(f"alone: {quiet}")
    return quiet
