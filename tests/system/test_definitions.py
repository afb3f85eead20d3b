"""Checks that are written once, at the collector, and run by the hosts whose labels they name."""

from __future__ import annotations

import re
import signal
from typing import Any

import yaml

from tests.system.far_side import Service
from tests.system.harness import Agent, Collector, Stage
from tests.system.programs import wait_until

METADATA = "http://169.254.169.254/latest/meta-data/"


def write_checks(collector: Collector, *checks: dict[str, Any]) -> None:
    config = yaml.safe_load(collector.config.read_text())
    config["collector"]["checks"] = list(checks)
    collector.config.write_text(yaml.safe_dump(config))


def web(kind: str, id: str, **options: Any) -> dict[str, Any]:
    return {"kind": kind, "id": id, "from": {"role": "web"}, **options}


def answers(collector: Collector, host: str) -> dict[str, tuple[str, str]]:
    """How each check of a host stands, and in which words."""
    rows = collector.ask(
        "SELECT checks.id, state, detail FROM checks JOIN hosts ON hosts.id = host WHERE name = ?", host
    )
    return {row["id"]: (row["state"], row["detail"]) for row in rows}


def checks_at_start(said: str) -> int:
    """How many checks an agent had as it began: "... for http://127.0.0.1:1; 22 checks"."""
    found = re.search(r"; (\d+) checks", said)
    assert found is not None
    return int(found[1])


def stage_of_two(stage: Stage, service: Service) -> tuple[Collector, Agent, Agent]:
    """A web server and a database; to both the collector may send checks of their loopback."""
    collector = stage.collector()
    write_checks(
        collector,
        web("http", "shop", url=service.url),
        web("exec", "cleanup", command=["/bin/true"]),
        web("http", "cloud", url=METADATA),
        web("http", "mistaken", urll="x"),
    )
    collector.start()
    made = [
        stage.agent(name, collector.add_host(name, f"role={role}"), settings={"accept_loopback": True})
        for name, role in (("web-1", "web"), ("db-1", "db"))
    ]
    for agent in made:
        agent.start()
    return collector, made[0], made[1]


def test_a_definition_is_run_by_the_hosts_it_names_until_it_is_taken_back(stage: Stage) -> None:
    service = stage.service()
    collector, agent, _ = stage_of_two(stage, service)
    wait_until("the shop to be seen", lambda: answers(collector, "web-1").get("shop", ("",))[0] == "ok")
    status, page = collector.get("/hosts/1")
    assert status == 200
    assert "check_state{check=&#34;shop&#34;,kind=&#34;http&#34;}" in page
    assert "http_total_ms{check=&#34;shop&#34;}" in page
    wait_until("the database to be heard", lambda: answers(collector, "db-1"))
    assert "shop" not in answers(collector, "db-1")

    service.stop()
    wait_until("the shop to be bad", lambda: answers(collector, "web-1")["shop"][0] == "bad")

    write_checks(collector, web("tcp", "port", host="127.0.0.1", port=collector.port))
    collector.send(signal.SIGHUP)
    wait_until("the other check", lambda: answers(collector, "web-1").get("port", ("",))[0] == "ok")
    page = collector.get("/hosts/1")[1]
    assert "check=&#34;port&#34;" in page
    assert "shop" not in page
    assert agent.stop() == 0
    assert "fault" not in agent.said


def test_what_a_host_does_not_accept_is_said_on_its_page(stage: Stage) -> None:
    collector, _, _ = stage_of_two(stage, stage.service())
    wait_until(
        "all four", lambda: {"shop", "cleanup", "cloud", "mistaken"} <= set(answers(collector, "web-1"))
    )
    said = answers(collector, "web-1")
    assert said["shop"][0] == "ok"
    assert {said[id][0] for id in ("cleanup", "cloud", "mistaken")} == {"unknown"}
    page = collector.get("/hosts/1")[1]
    assert (
        "kind exec is not run for the collector; accept: of this host has http, tcp, icmp, dns, tls" in page
    )
    assert "169.254.169.254:80 is link-local or gives out a host&#39;s credentials" in page
    assert "its definition is wrong: urll: unknown key; did you mean &#34;url&#34;?" in page


def test_a_mistake_in_the_definitions_leaves_those_that_were_and_a_restart_of_the_agent_too(
    stage: Stage,
) -> None:
    collector, agent, _ = stage_of_two(stage, stage.service())
    wait_until("the shop to be seen", lambda: answers(collector, "web-1").get("shop", ("",))[0] == "ok")
    write_checks(collector, {"kind": "tcp", "id": "port"})
    collector.send(signal.SIGHUP)
    wait_until("the mistake to be said", lambda: "collector.checks[0].from" in collector.said)
    assert agent.stop() == 0
    agent.start()
    line = wait_until("the agent", lambda: agent.said.count("watching over this host") == 2 and agent.said)
    own, with_those = line.split("watching over this host")[1:]
    assert checks_at_start(with_those) == checks_at_start(own) + 4
