"""A collector and an agent with a network between them, and the link cut while ticks go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Needs
from tests.system import netns
from tests.system.harness import Agent, Collector, Stage
from tests.system.netns import Network
from tests.system.programs import wait_until

PORT = 8420
EVERY_MS = 500
CUT_S = int(os.environ.get("WATCHKEEPER_TEST_CUT_S", "30"))
"""Sixty ticks by default, as many as an agent has in ten minutes at its usual pace."""
AT_ONCE_S = 6.0
"""A try that began while the link was cut may have to end first."""
ABSENT = {"name": "absent", "kind": "absence", "severity": "critical"}


class Wire:
    """Two hosts on one switch: `watch` with the collector, `web-1` with the agent."""

    def __init__(self, stage: Stage) -> None:
        self.network = Network()
        self._stage = stage

    def build(self) -> None:
        self.network.add_bridge("switch")
        for host, address in (("watch", "10.78.0.1"), ("web-1", "10.78.0.2")):
            self.network.add(host)
            self.network.plug(host, address, "switch")
        self.collector: Collector = self._stage.collector(
            rules=[ABSENT], settings={"listen": f"0.0.0.0:{PORT}"}, prefix=self.network.prefix("watch")
        )
        self.collector.port = PORT
        self.collector.start(wait=False)
        wait_until("the collector to be ready", lambda: self.at_collector(self.collector.is_ready))
        self.agent: Agent = self._stage.agent(
            "web-1",
            self.collector.add_host("web-1"),
            every=f"{EVERY_MS}ms",
            settings={"collector": f"http://10.78.0.1:{PORT}", "allow_plaintext": True},
            prefix=self.network.prefix("web-1"),
        )
        self.agent.start()

    @property
    def host(self) -> int:
        """The number of the host with the agent: the collector itself is another."""
        return int(self.collector.ask_one("SELECT id FROM hosts WHERE name = 'web-1'"))

    def at_collector(self, work: Callable[[], Any]) -> Any:
        return self.network.inside("watch", work)

    def cut(self, port: str) -> None:
        self.network.link("switch", port, "down")

    def heal(self, port: str) -> None:
        self.network.link("switch", port, "up")

    def sampled_at(self) -> list[int]:
        rows = self.collector.ask("SELECT at FROM batches WHERE host = ? ORDER BY at", self.host)
        return [row["at"] for row in rows]

    def has_every_number(self) -> bool:
        """Whether the collector has taken every batch that the agent has numbered, up to the newest."""
        (row,) = self.collector.ask(
            "SELECT below, length(ranges) AS gaps FROM seen WHERE host = ?", self.host
        )
        return row["below"] == len(self.sampled_at()) and not row["gaps"]

    def newest_age_s(self) -> float:
        newest = self.collector.ask_one("SELECT last_at FROM heard WHERE host = ?", self.host)
        return time.time() - (newest or 0) / 1000


@pytest.fixture
def wire(needs: Needs, stage: Stage, tmp_path: Path) -> Iterator[Wire]:
    needs("ip")
    needs.that(netns.is_possible(), "needs root that may make network namespaces and mount in them")
    wire = Wire(stage)
    try:
        wire.build()
        yield wire
    finally:
        stage.end()
        wire.network.remove()


@pytest.mark.parametrize("port", ["web-1", "watch"], ids=["cable pulled", "packets swallowed"])
def test_after_the_link_heals_nothing_is_missing_and_the_newest_is_there_at_once(
    wire: Wire, port: str
) -> None:
    wait_until("some batches", lambda: len(wire.sampled_at()) >= 6)
    before = len(wire.sampled_at())
    wire.cut(port)
    cut_at_ms = time.time() * 1000
    time.sleep(CUT_S)
    while_cut = len(wire.sampled_at()) - before
    assert while_cut <= 3, "the link was cut, and yet batches came"
    assert wire.newest_age_s() > CUT_S - 3
    wire.heal(port)
    healed_s = time.monotonic()
    wait_until("the newest sample", lambda: wire.newest_age_s() < 2.5 * EVERY_MS / 1000, every_s=0.02)
    took_s = time.monotonic() - healed_s
    status, page = wire.at_collector(lambda: wire.collector.get(f"/hosts/{wire.host}"))
    assert (status, "This host is silent" in page) == (200, False)
    assert took_s < AT_ONCE_S, f"the newest sample was there after {took_s:.1f} s"
    ticks = CUT_S * 1000 // EVERY_MS
    wait_until("the backlog", lambda: len(wire.sampled_at()) >= before + ticks)
    wait_until("every number", wire.has_every_number)
    # The kernel stands still for a moment when a link goes down, and a tick may be left out for that.
    assert largest_gap_ms(wire.sampled_at()) < 3 * EVERY_MS
    of_the_cut = [at for at in wire.sampled_at() if cut_at_ms <= at <= cut_at_ms + CUT_S * 1000]
    assert len(of_the_cut) >= ticks - 2
    assert len(set(wire.sampled_at())) == len(wire.sampled_at())
    silence = [step for step in wire.collector.transitions(f"host:{wire.host}") if step[0] != step[1]]
    assert silence == [("ok", "firing", False), ("firing", "ok", False)]
    assert "fault" not in wire.agent.said
    assert "given up" not in wire.agent.said


def largest_gap_ms(times: list[int]) -> int:
    return max(after - before for before, after in pairwise(times))
