"""docs/terminal.md is true: its commands run against a real collector with a real agent."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.system.harness import Collector, Stage
from tests.system.programs import ROOT, environ, wait_until

PAGE = (ROOT / "docs" / "terminal.md").read_text()
LEFT_OUT = ("export ", "eval ", "watchkeeper top")


def commands() -> list[str]:
    """Every command of the page that can be run here as it stands, in its order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = [line for block in blocks if "WATCHKEEPER_URL" not in block for line in block.splitlines()]
    return [line for line in lines if not line.startswith(LEFT_OUT)]


def run(line: str, collector: Collector, folder: Path) -> subprocess.CompletedProcess[str]:
    """With a `watchkeeper` in front of the others that asks this collector, and a journal of a line."""
    folder.mkdir(exist_ok=True)
    command = shlex.join([sys.executable, "-m", "collector"])
    for name, text in (
        ("watchkeeper", f'cd {ROOT} && exec {command} "$@" --config {collector.config}'),
        ("journalctl", "echo a line of the journal"),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    variables = environ()
    variables["PATH"] = f"{folder}:{variables['PATH']}"
    return subprocess.run(
        ["sh", "-c", line], env=variables, capture_output=True, text=True, timeout=120, check=False
    )


def test_every_command_of_the_page_does_what_it_says(stage: Stage, tmp_path: Path) -> None:
    rules = [{"name": "always", "metric": "memory_used_pct", "above": 0, "severity": "warning"}]
    collector = stage.collector(rules=rules, channels=[{"kind": "log", "name": "ops"}])
    collector.start()
    stage.agent("web-1", collector.add_host("web-1", "role=web")).start()
    wait_until("an incident", lambda: collector.ask("SELECT * FROM incidents"))
    lines = commands()
    assert len(lines) > 20
    for line in lines:
        done = run(line, collector, tmp_path / "bin")
        # The page begins with a warning that is open, and opens a critical incident by hand.
        allowed = (1, 2) if line.startswith("watchkeeper status") else (0,)
        assert done.returncode in allowed, (line, done.stdout, done.stderr)
        assert done.stderr == "", line
    texts = [row["text"] for row in collector.ask("SELECT text FROM remarks ORDER BY id")]
    assert {"a build ran wild", "a line of the journal"} <= set(texts)


def test_every_command_that_asks_a_collector_is_on_the_page() -> None:
    named = set(re.findall(r"watchkeeper ([a-z]+)", PAGE))
    asking = "status top hosts host alerts incidents notices ack unack resolve note assign open silence maintenance"
    assert set(asking.split()) <= named
