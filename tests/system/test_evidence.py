"""The moment something goes wrong on a host, its agent looks closer, and the incident's page shows what it saw."""

from __future__ import annotations

import time

import msgspec

from agent.wire import Evidence
from tests.agent.this_machine import has_a_disk
from tests.conftest import Needs
from tests.system.harness import Stage
from tests.system.programs import wait_until

TICK_MS = 1_000
FULL = {"name": "memory", "metric": "memory_used_pct", "above": 0.1, "severity": "warning"}


def test_evidence_is_asked_for_gathered_once_and_shown_with_its_incident(needs: Needs, stage: Stage) -> None:
    needs.that(has_a_disk(), "needs a disk that is mounted and can be written to")
    collector = stage.collector(rules=[FULL])
    collector.start()
    agent = stage.agent("web-1", collector.add_host("web-1"), every="1s")
    agent.start()
    [row] = wait_until("the evidence", lambda: collector.ask("SELECT * FROM evidence"))
    found = msgspec.json.decode(row["found"], type=Evidence)
    assert found.by_memory
    assert found.folders
    fired_at = collector.ask_one("SELECT fired_at FROM alerts WHERE id = ?", row["alert"])
    assert row["arrived_at"] - fired_at - found.took_ms <= 2 * TICK_MS
    status, page = collector.get(f"/incidents/{row['incident']}")
    assert status == 200
    assert "Most memory" in page
    assert f"Largest directories of {found.mount}" in page
    time.sleep(2.0)
    assert len(collector.ask("SELECT * FROM evidence")) == 1
    assert "fault" not in agent.said
    assert agent.stop() == 0
