"""An agent that ticks ten times a second for as long as you like, while its memory and file descriptors are counted.

`python -m tests.system.soak --minutes 20`; the short form is a test. All host checks are on, over TLS, and the way it
goes is not an easy one: the collector is away for a tenth of the time, the config is read again, evidence is asked for.
Exit code 0 when neither memory nor descriptors grow, 1 when one of them does.
"""

from __future__ import annotations

import argparse
import signal
import ssl
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import trustme
from msgspec import Struct

from agent import wire
from tests.agent.receiver import TOKEN, Receiver, Reply, problem, taken
from tests.bench.process import resident_mib
from tests.system.harness import Agent, Stage, wait_until

EVERY_S = 0.1
LOOK_EVERY_S = 0.5
ROUND_S = 20.0
"""In each round: the collector is away for two seconds, the config is read again, evidence is asked for once."""
AWAY_S = 2.0
WARM_UP = 0.4
"""So much of the time is not judged: what is made once is made then."""
GROWTH_MIB_MAX = 1.0
"""Over the time that is judged, by the slope of it: noise of the allocator, and no more."""


class Look(Struct, frozen=True):
    at_s: float
    resident_mib: float
    descriptors: int
    threads: int


class Soak(Struct):
    """What was seen. `ticks` is how many batches came, `missing` how many numbers of them did not."""

    looks: list[Look]
    ticks: int
    missing: int
    evidence: int

    @property
    def judged(self) -> list[Look]:
        return self.looks[int(len(self.looks) * WARM_UP) :]

    def growth(self, what: str) -> float:
        """By how much it grew over the time that is judged, by a straight line through all looks."""
        judged = self.judged
        at_s = [look.at_s for look in judged]
        slope = np.polyfit(at_s, [getattr(look, what) for look in judged], 1)[0]
        return float(slope * (at_s[-1] - at_s[0]))

    def faults(self) -> list[str]:
        """In words what should not be; nothing when all is well."""
        found = []
        if (growth := self.growth("resident_mib")) > GROWTH_MIB_MAX:
            found.append(f"memory grew by {growth:.2f} MiB")
        for what in ("descriptors", "threads"):
            # Checks open files and end threads all the time; what leaks is there at every look.
            first, second = (min(getattr(look, what) for look in half) for half in halves(self.judged))
            if second > first:
                found.append(f"{what} grew from {first} to {second}")
        if self.missing:
            found.append(f"{self.missing} batches are missing")
        if not self.evidence:
            found.append("no evidence came")
        return found


def halves(looks: list[Look]) -> tuple[list[Look], list[Look]]:
    return looks[: len(looks) // 2], looks[len(looks) // 2 :]


class FarSide:
    """A collector that is away now and then and asks for evidence."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self.receiver = Receiver(self._answer, tls=context)
        self.away = False
        self.asks: list[wire.Ask] = []
        self.seqs: set[int] = set()
        self.evidence = 0

    @property
    def missing(self) -> int:
        """How many numbers below the newest did not come."""
        return max(self.seqs) - min(self.seqs) + 1 - len(self.seqs)

    def _answer(self, push: wire.Push) -> Reply:
        self.receiver.got.clear()  # twelve thousand pushes are not kept
        if self.away:
            return problem(503)
        self.seqs |= {batch.seq for batch in push.batches}
        self.evidence += push.evidence is not None
        reply = taken("ok" for _ in push.batches)
        asks, self.asks = self.asks, []
        return Reply(body=wire.answer(["ok"] * len(push.batches), asks)) if asks else reply


def run(folder: Path, seconds: float) -> Soak:
    """AssertionError when the agent ends by itself."""
    far, stage = FarSide(folder), Stage(folder)
    try:
        agent = _agent(stage, far)
        looks = []
        began_s, asked = time.monotonic(), 0
        while (at_s := time.monotonic() - began_s) < seconds:
            far.away = at_s % ROUND_S > ROUND_S - AWAY_S
            if at_s > asked * ROUND_S:
                asked += 1
                far.asks.append(wire.AskEvidence(asked))
                agent.send(signal.SIGHUP)
            assert agent.alive, agent.said[-2_000:]
            looks.append(_look(agent.pid, at_s))
            time.sleep(LOOK_EVERY_S)
        far.away = False
        newest = max(far.seqs)
        wait_until("the backlog", lambda: max(far.seqs) > newest and far.missing == 0)
        assert agent.stop() == 0
        return Soak(looks, len(far.seqs), far.missing, far.evidence)
    finally:
        stage.end()
        far.receiver.close()


def _agent(stage: Stage, far: FarSide) -> Agent:
    config = {"agent": {"collector": far.receiver.url, "token": TOKEN, "ca": str(stage.folder / "ca.pem")}}
    agent: Agent = stage.agent("soaked", config, every=f"{EVERY_S * 1000:.0f}ms")
    agent.start()
    wait_until("the first batches", lambda: len(far.seqs) > 10)
    return agent


def _look(pid: int, at_s: float) -> Look:
    descriptors, threads = (len(list(Path(f"/proc/{pid}/{what}").iterdir())) for what in ("fd", "task"))
    return Look(at_s, resident_mib(pid), descriptors, threads)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        soak = run(Path(folder), minutes * 60)
    for look in soak.looks[:: max(1, len(soak.looks) // 20)]:
        print(
            f"{look.at_s:6.0f} s {look.resident_mib:6.2f} MiB {look.descriptors} descriptors {look.threads} threads"
        )
    first, last = soak.judged[0], soak.judged[-1]
    print(f"{soak.ticks} ticks in {minutes:g} minutes, {soak.missing} missing, {soak.evidence} looks closer")
    print(f"memory {first.resident_mib:.2f} -> {last.resident_mib:.2f} MiB", end=", ")
    print(f"slope over the time that is judged {soak.growth('resident_mib'):+.2f} MiB")
    print(f"descriptors {first.descriptors} -> {last.descriptors}, threads {first.threads} -> {last.threads}")
    for fault in soak.faults():
        print(f"FAULT: {fault}")
    return 1 if soak.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
