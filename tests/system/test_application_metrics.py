"""A service posts as docs/application-metrics.md tells, to a real collector: it is judged, and percentiles add up."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.system.harness import Collector, Stage
from tests.system.programs import ROOT, wait_until

PAGE = (ROOT / "docs" / "application-metrics.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def run(command: str, collector: Collector) -> dict[str, Any]:
    """A command of the page, at this collector."""
    command = command.replace("127.0.0.1:8420", f"127.0.0.1:{collector.port}")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    answer: dict[str, Any] = msgspec.json.decode(done.stdout)
    return answer


def test_the_page_is_true(stage: Stage) -> None:
    post, ask = blocks("sh")
    [rules] = map(yaml.safe_load, blocks("yaml"))
    rules["rules"][0]["for"] = "0s"
    collector = stage.collector(rules=rules["rules"], channels=[{"kind": "log", "name": "log"}])
    collector.start()

    answer = run(post, collector)
    assert (answer["accepted"], answer["refused"]) == (5, [])
    times = wait_until("the tick to be written", lambda: written(ask, collector))
    assert times["count"] == 2
    said = re.search(r'"count": 2, "p50_ms": ([\d.]+), "p95_ms": ([\d.]+), "p99_ms": ([\d.]+)', PAGE)
    assert said is not None
    assert [times[name] for name in ("p50_ms", "p95_ms", "p99_ms")] == [float(each) for each in said.groups()]
    wait_until("somebody to be told", collector.notices)
    [notice] = collector.notices()
    assert (notice["host"], notice["severity"]) == ("service:shop", "warning")
    assert "/pay takes 467 ms" in notice["text"] + notice["title"]
    page = collector.get("/")[1]
    assert "Services that post metrics" in page
    assert "No host is watched yet" in page
    [shop] = collector.ask("SELECT id FROM hosts WHERE name = 'service:shop'")
    assert "response_time_ms" in collector.get(f"/hosts/{shop['id']}")[1]


def written(ask: str, collector: Collector) -> dict[str, Any]:
    [shop] = run(ask, collector)["services"]
    return dict(shop) if shop["count"] else {}


def test_a_stop_in_the_middle_of_a_tick_loses_nothing(stage: Stage, tmp_path: Path) -> None:
    post, ask = blocks("sh")
    collector = stage.collector()
    collector.start()
    for _ in range(3):
        run(post, collector)
        assert collector.stop() == 0
        collector.start()
    run(post, collector)
    time.sleep(1.5)  # rounds of the collector, none of which may write this tick twice
    assert collector.stop() == 0
    collector.start()
    assert run(ask, collector)["services"][0]["count"] == 8
