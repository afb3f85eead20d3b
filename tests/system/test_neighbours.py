"""What neighbours see of a silent host stands in its alert: an agent that is gone, or a host that nobody reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Needs
from tests.system import netns
from tests.system.harness import Agent, Collector, Stage
from tests.system.netns import Network
from tests.system.programs import wait_until

PORT = 8420
ABSENT = {"name": "absent", "kind": "absence", "severity": "critical"}
HOSTS = ("web-1", "web-2", "web-3", "web-4")


class Site:
    """A collector and four hosts on one switch."""

    def __init__(self, stage: Stage) -> None:
        self.network, self._stage = Network(), stage
        self.agents: dict[str, Agent] = {}

    def build(self) -> None:
        self.network.add_bridge("switch")
        for number, host in enumerate(("watch", *HOSTS), start=1):
            self.network.add(host)
            self.network.plug(host, f"10.79.0.{number}", "switch")
            self.network.route(host, "default", "10.79.0.254")  # which leads nowhere, as far as anybody knows
        self.collector: Collector = self._stage.collector(
            rules=[ABSENT], settings={"listen": f"0.0.0.0:{PORT}"}, prefix=self.network.prefix("watch")
        )
        self.collector.port = PORT
        self.collector.start(wait=False)
        wait_until("the collector to be ready", lambda: self.at_collector(self.collector.is_ready))
        for host in HOSTS:
            self.agents[host] = self._stage.agent(
                host,
                self.collector.add_host(host),
                every="1s",
                settings={"collector": f"http://10.79.0.1:{PORT}", "allow_plaintext": True},
                prefix=self.network.prefix(host),
            )
            self.agents[host].start()
        wait_until(
            "all to be heard", lambda: self.collector.ask_one("SELECT count(*) FROM pushers") == len(HOSTS)
        )
        wait_until("all addresses", self.knows_all_addresses)

    def at_collector(self, work: Callable[[], Any]) -> Any:
        return self.network.inside("watch", work)

    def knows_all_addresses(self) -> bool:
        rows = self.collector.ask("SELECT facts FROM agents")
        return all('"address":"10.79.0.' in row["facts"] for row in rows)

    def summary(self) -> str:
        [row] = wait_until("an alert", lambda: self.collector.ask("SELECT summary FROM alerts"))
        return str(row["summary"])


@pytest.fixture
def site(needs: Needs, stage: Stage) -> Iterator[Site]:
    needs("ip")
    needs.that(netns.is_possible(), "needs root that may make network namespaces and mount in them")
    site = Site(stage)
    try:
        site.build()
        yield site
    finally:
        stage.end()
        site.network.remove()


def test_an_agent_that_was_killed_is_told_from_a_host_that_is_down(site: Site) -> None:
    site.agents["web-1"].kill()
    assert site.summary() == "no word from this host; 3 of 3 neighbours reach it: the agent is gone"


def test_a_host_whose_cable_was_pulled_is_reached_by_nobody(site: Site) -> None:
    site.network.link("switch", "web-1", "down")
    assert site.summary() == ("no word from this host; none of 3 neighbours reaches it: host or network down")
