"""A check of a real server that goes down, a collector that is killed, batches that come late: what is written
down, what the commands say of it, and that every second of the month is accounted for."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.wire import Batch, CheckState
from tests.system.fleet import Pusher
from tests.system.harness import Collector, Stage, sees_well
from tests.system.programs import PATIENCE_S, ROOT, environ, wait_until

MINUTE_MS = 60_000
EVERY_MS = 10_000
SERVICES = [
    {"name": "shop", "title": "Web shop", "checks": [{"id": "web"}]},
    {"name": "front", "hosts": {"where": {"role": "web"}}},
    {"name": "api", "checks": [{"id": "api"}]},
]


def watchkeeper(collector: Collector, *arguments: str) -> str:
    command = [sys.executable, "-m", "collector", *arguments, "--config", str(collector.config)]
    done = subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"


def report(collector: Collector, service: str, folder: Path) -> list[dict[str, str]]:
    """The month so far, as the table that people reckon with; it is whole."""
    file = folder / f"{service}.csv"
    watchkeeper(collector, "sla", "report", service, "--month", this_month(), "--csv", str(file))
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert all(left["until"] == right["from"] for left, right in pairwise(rows))
    whole = datetime.fromisoformat(rows[-1]["until"]) - datetime.fromisoformat(rows[0]["from"])
    assert sum(int(row["ms"]) for row in rows) == round(whole.total_seconds() * 1000)
    assert rows[0]["from"] == f"{this_month()}-01T00:00:00.000Z"
    return rows


def of(rows: list[dict[str, str]], state: str) -> list[dict[str, str]]:
    return [row for row in rows if row["class"] == state]


def holes(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [row for row in of(rows, "unknown") if 4 * MINUTE_MS < int(row["ms"]) < 5 * MINUTE_MS]


def past(start: int, end: int, state: str) -> Iterator[Batch]:
    """What an agent sampled of a check between two moments, in milliseconds."""
    value: dict[str, Any] = {"ok": 0.0, "bad": 2.0}
    for at in range(start - start % EVERY_MS, end, EVERY_MS):
        samples = {'check_state{check="api",kind="http"}': value[state]}
        yield Batch(at // EVERY_MS, at, end, EVERY_MS, samples, [CheckState("api", "http", state, 5.0, "")])  # type: ignore[arg-type]


def test_what_was_is_known_and_adds_up(stage: Stage, tmp_path: Path) -> None:
    server = stage.service()
    collector = stage.collector(settings={"services": SERVICES})
    collector.start()
    agent = stage.agent(
        "web-1",
        collector.add_host("web-1", "role=web"),
        checks=[{"kind": "http", "id": "web", "url": server.url, "timeout": "1s"}],
        every="500ms",
    )
    agent.start()
    wait_until("the server to be seen", lambda: sees_well(collector, "web"))
    began = time.time()
    server.stop()
    wait_until("the server to be missed", lambda: not sees_well(collector, "web"))
    time.sleep(4)
    server.start()
    wait_until("the server to be seen again", lambda: sees_well(collector, "web"))
    was_down_s = time.time() - began

    # A host that brings its last twenty minutes, but for a hole of five.
    now = time.time_ns() // 1_000_000
    pusher = Pusher(collector.port, collector.add_host("api-1")["agent"]["token"])
    pusher.push(past(now - 20 * MINUTE_MS, now - 12 * MINUTE_MS, "ok"))
    pusher.push(past(now - 7 * MINUTE_MS, now, "ok"))

    time.sleep(1)
    collector.kill()
    agent.stop()
    time.sleep(3)
    collector.start()
    agent.start()
    wait_until("the server to be seen after that", lambda: newest(collector, "web-1") > time.time() - 1)
    wait_until("the past to be written down", lambda: "api" in written(collector))

    shop = report(collector, "shop", tmp_path)
    (outage,) = of(shop, "down")
    assert outage["cause"] == "web from web-1 is bad"
    assert 4_000 < int(outage["ms"]) < was_down_s * 1000 + 1_000
    front = report(collector, "front", tmp_path)
    away = [row for row in of(front, "unknown") if row["cause"] == "the collector was away"]
    assert [2_000 < int(row["ms"]) < 30_000 for row in away] == [True]
    (hole,) = holes(report(collector, "api", tmp_path))
    assert hole["cause"] == "the collector was away"

    # What was kept back comes late, and the collector is killed before it has looked at it.
    pusher.push(past(now - 12 * MINUTE_MS, now - 10 * MINUTE_MS, "bad"))
    pusher.push(past(now - 10 * MINUTE_MS, now - 7 * MINUTE_MS, "ok"))
    collector.kill()
    collector.start()
    wait_until("the past to be put right", lambda: repaired(collector, "api"))
    api = report(collector, "api", tmp_path)
    (late,) = of(api, "down")
    assert (late["cause"], late["ms"], late["repaired"]) == ("api from api-1 is bad", "120000", "yes")
    assert holes(api) == []

    said = watchkeeper(collector, "sla")
    (line,) = [line for line in said.splitlines() if line.startswith("api:")]
    assert "available in the last 30 days, 99.9 % promised: 43 min allowed, 2 min used; at this pace" in line
    page = tmp_path / "api.html"
    watchkeeper(collector, "sla", "report", "api", "--month", this_month(), "--html", str(page))
    assert "the whole window to the millisecond." in page.read_text()
    assert "the whole window to the millisecond." in watchkeeper(
        collector, "sla", "report", "api", "--month", this_month()
    )


def newest(collector: Collector, host: str) -> float:
    found = collector.ask_one("SELECT last_at FROM heard JOIN hosts ON hosts.id = host WHERE name = ?", host)
    return float(found) / 1000


def written(collector: Collector) -> set[str]:
    return {row["service"] for row in collector.ask("SELECT service FROM service_reach")}


def repaired(collector: Collector, service: str) -> int:
    query = "SELECT count(*) FROM service_intervals WHERE service = ? AND repaired AND state = 'down'"
    return int(collector.ask_one(query, service))
