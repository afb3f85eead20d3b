"""What simulated hosts say: the trace that comes along, and those that people bring."""

from __future__ import annotations

import gzip
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from collector.cli.simulate import trace
from collector.config import PACKS, read_rules
from rules.judging.engine import Rule
from tests.agent.receiver import TOKEN
from tests.rules.house import House
from tests.system.programs import ROOT

TICKS = trace.read(trace.PACKAGED)


def rules() -> list[Rule]:
    return [rule for pack in sorted(PACKS.glob("*.yaml")) for rule in read_rules(pack)]


def test_the_packaged_trace_is_small_and_of_an_ordinary_host() -> None:
    assert trace.PACKAGED.stat().st_size < 60_000
    assert len(TICKS) == 300
    assert {len(tick.samples) for tick in TICKS} == {71}
    assert {check.state for tick in TICKS for check in tick.checks} == {"ok"}


@pytest.mark.parametrize("every_ms", [1_000, 10_000, 60_000])
def test_a_simulated_host_that_is_well_wakes_nobody(every_ms: int) -> None:
    house = House(rules(), check_purity=False)
    for place in range(2 * len(TICKS)):  # over its end and on
        samples = TICKS[place % len(TICKS)].samples
        house.batch(place * every_ms / 1000, dict(samples), every_ms=every_ms)
    assert house.notices == []


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.jsonl.gz"])
def test_a_trace_of_ones_own_may_be_batches_or_pairs_and_may_be_packed(tmp_path: Path, name: str) -> None:
    text = (
        b'{"seq": 1, "at": 2, "samples": {"load1": 1.5, "x": null}, "checks": [{"id":"a","kind":"b","state":"ok"}]}\n'
        b'\n[1700000000.5, {"load1": 2}]\n'
    )
    file = tmp_path / name
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    first, second = trace.read(file)
    assert first.samples == {"load1": 1.5, "x": None}
    assert first.checks[0].kind == "b"
    assert (second.samples, second.checks) == ({"load1": 2.0}, [])


def test_the_page_tells_how_to_make_a_trace_of_ones_own(tmp_path: Path) -> None:
    (line,) = re.findall(r"^    (for .*)$", (ROOT / "docs" / "store.md").read_text(), flags=re.MULTILINE)
    (tmp_path / "agent.yaml").write_text(
        f"agent: {{collector: 'http://127.0.0.1:9', token: {TOKEN}, state: state}}\n"
    )
    agent = f"{shlex.quote(sys.executable)} -m agent --config {tmp_path / 'agent.yaml'}"
    for theirs, ours in (
        ("watchkeeper-agent", agent),
        ("60", "2"),
        ("sleep 10", "true"),
        ("> ", f"> {tmp_path}/"),
    ):
        assert theirs in line
        line = line.replace(theirs, ours)
    subprocess.run(["bash", "-c", line], cwd=ROOT, check=True, timeout=120)
    first, second = trace.read(tmp_path / "trace.jsonl")
    assert first.samples.keys() & second.samples.keys() >= {"load1", "memory_used_pct"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ('{"samples": {"load1": 1}}\nhello\n', "line 2: JSON is malformed"),
        ('{"values": {}}\n', "line 1: Object missing required field `samples`"),
        ('{"samples": {}}\n', "line 1: 0 series; 1 to 2000 are allowed"),
        ('{"samples": {"load one": 1}}\n', "line 1: 'load one' is not a series name"),
    ],
)
def test_what_is_wrong_with_a_trace_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        trace.read(file)


def test_a_trace_that_is_not_there_or_not_packed_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        trace.read(tmp_path / "none.jsonl")
    (tmp_path / "plain.gz").write_text("{}")
    with pytest.raises(ValueError, match="cannot be read: Not a gzipped file"):
        trace.read(tmp_path / "plain.gz")
