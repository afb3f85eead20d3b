"""Today's collector and agent on what the first version left: its config, every key of it, and its store."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.harness import Agent, Collector, Stage
from tests.system.programs import ROOT, wait_until

DATA = ROOT / "tests" / "data"
OLDEST: dict[str, Any] = yaml.safe_load((DATA / "config-1.yaml").read_text())
"""The example of the first version, which names every key that it had; never changed since."""
OUTSIDE = {"slack-webhook.url": "https://hooks.slack.com/services/T0/B0/x", "mail.url": "json://127.0.0.1:9"}


@pytest.fixture
def collector(stage: Stage) -> Collector:
    """With the oldest store and config, but for where it listens, where its store is, and who would be told."""
    section = OLDEST["collector"]
    own = {key: section[key] for key in section if key not in ("listen", "state")}
    collector = stage.collector(settings=own)
    for name, text in OUTSIDE.items():
        (collector.folder / name).write_text(text)
    collector.database.parent.mkdir()
    packed = (DATA / "stores" / "1-ground_floor.db.gz").read_bytes()
    collector.database.write_bytes(gzip.decompress(packed))
    collector.start()
    return collector


def test_hosts_of_the_first_version_are_watched_on_with_their_configs(
    stage: Stage, collector: Collector
) -> None:
    assert {row["name"] for row in collector.ask("SELECT name FROM agents")} == {"alice", "bob"}
    assert list(collector.database.parent.glob("watchkeeper-before-*.db")), "a copy is kept"
    token = collector.add_host("alice")["agent"]["token"]
    folder = stage.folder / "alice"
    alice = stage.keep(old_agent(folder, collector.url, token))
    alice.start()
    pushed = "SELECT count(*) FROM pushed JOIN agents ON agents.id = host WHERE name = 'alice'"
    before = collector.ask_one(pushed)
    wait_until("alice to push", lambda: collector.ask_one(pushed) > before)
    assert "alice" in collector.get("/")[1]
    assert alice.stop() == 0
    assert collector.stop() == 0


def old_agent(folder: Path, url: str, token: str) -> Agent:
    """One whose config has every key of the oldest; the two services that it watches are not there."""
    section = {key: OLDEST["agent"][key] for key in OLDEST["agent"] if key not in ("token_file", "checks")}
    checks = OLDEST["agent"]["checks"]
    config = {"agent": {**section, "collector": url, "token": token}}
    return Agent(folder, config, checks=checks)
