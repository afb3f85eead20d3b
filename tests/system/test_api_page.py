"""docs/api.md is true: its commands run against a real collector, and its table says what is so."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import msgspec
import yaml

from collector.config.runtime import FLAT
from tests.system.harness import Collector, Stage
from tests.system.programs import ROOT, wait_until

PAGE = (ROOT / "docs" / "api.md").read_text()


def commands() -> list[str]:
    """Every curl command of the page, those of several lines as one."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    return [command for block in blocks for command in re.split(r"\n(?=curl )", block.strip())]


def run(command: str, collector: Collector) -> str:
    command = command.replace("127.0.0.1:8420", f"127.0.0.1:{collector.port}").replace(
        "curl ", "curl --fail "
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_every_command_of_the_page_does_what_it_says(stage: Stage) -> None:
    rules = [
        {"name": "always", "metric": "memory_used_pct", "above": 0, "severity": "critical"},
        {"name": "cpu-high", "metric": "cpu_used_pct", "above": 101},
    ]
    collector = stage.collector(rules=rules)
    collector.start()
    stage.agent("web-1", collector.add_host("web-1", "role=web")).start()
    wait_until("an alert", lambda: asked("alerts", collector)["items"])
    said = {command: run(command, collector) for command in commands()}
    assert len(said) == 15
    for command, text in said.items():
        if "events" in command:
            assert text.startswith("retry:")
        elif "export" in command:
            assert yaml.safe_load(text)["collector"]["keep"] == "30d"
        else:
            msgspec.json.decode(text)
    assert asked("incidents/1", collector)["incident"]["state"] == "resolved"
    assert asked("rules/cpu-high/replay", collector)["days"] == 7
    assert asked("silences", collector)["items"][0]["comment"] == "upgrade"
    assert asked("config", collector)["flat"]["cpu_warning_threshold"] == 75


def asked(path: str, collector: Collector) -> Any:
    return msgspec.json.decode(run(f"curl -sS http://127.0.0.1:8420/api/monitoring/{path}", collector))


def test_the_words_and_their_defaults_are_those_of_the_page(stage: Stage) -> None:
    collector = stage.collector()
    collector.start()
    told = dict(re.findall(r"`(\w+)` \| ([\d.]+)", PAGE))
    flat = asked("config", collector)["flat"]
    assert set(told) == set(FLAT) == set(flat)
    assert {word: float(number) for word, number in told.items()} == flat
