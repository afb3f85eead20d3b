"""An agent that ticks ten times a second for as long as you like.

All host checks are on, over TLS, and the way it goes is not an easy one: the collector is away for a tenth of the time,
the config is read again, evidence is asked for.
"""

from __future__ import annotations

import signal
import ssl
import time
from pathlib import Path

import trustme
from msgspec import Struct

from agent import wire
from tests.agent.receiver import TOKEN, Receiver, Reply, problem, taken
from tests.system.harness import Agent, Stage
from tests.system.programs import wait_until
from tests.system.soak.looks import Look, leaks, look

EVERY_S = 0.1
LOOK_EVERY_S = 0.5
ROUND_S = 20.0
"""In each round: the collector is away for two seconds, the config is read again, evidence is asked for once."""
AWAY_S = 2.0
GROWTH_MIB_MAX = 1.0
"""Over the time that is judged, by the slope of it: noise of the allocator, and no more."""


class Soak(Struct):
    """What was seen. `ticks` is how many batches came, `missing` how many numbers of them did not."""

    looks: list[Look]
    ticks: int
    missing: int
    evidence: int

    def faults(self) -> list[str]:
        """In words what should not be; nothing when all is well."""
        found = leaks(self.looks, GROWTH_MIB_MAX)
        if self.missing:
            found.append(f"{self.missing} batches are missing")
        if not self.evidence:
            found.append("no evidence came")
        return found

    def summary(self) -> list[str]:
        return [f"{self.ticks} ticks, {self.missing} missing, {self.evidence} looks closer"]


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
            looks.append(look(agent.pid, at_s))
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
