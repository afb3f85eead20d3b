"""`watchkeeper rules explain HOST`: whom a rule is about, by which limit, from which file, and where it stands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from collector.app import now_ms
from collector.config import PACKS, load, load_rules
from collector.store.settings import Setting
from collector.stores.sqlite import open_store
from tests.collector.cli.conftest import Command
from tests.collector.cli.rules.lived import live

CPU, DISK = "cpu_used_pct", 'disk_used_pct{mount="/"}'
OWN = """\
rules:
  - {name: cpu-high, metric: cpu_used_pct, above: 50, for: 1m}
  - {name: db-load, metric: load1, where: {role: db}, above: 9}
  - {name: disk-inodes-full, metric: load1, above: 9, enabled: false}
  - {name: both, kind: composite, rules: [cpu-high, disk-full], need: 1, severity: critical}
  - {name: cpu-jumps, kind: rate, metric: cpu_used_pct, above: 9, over: 1m}
  - {name: cpu-slow, kind: rate, metric: cpu_used_pct, above: 9, over: 1h}
  - {name: cpu-unanswered, kind: unanswered, metric: cpu_used_pct, severity: critical}
"""


def house(tmp_path: Path, state: Path) -> Path:
    (tmp_path / "rules.d").mkdir()
    mine = tmp_path / "rules.d" / "mine.yaml"
    mine.write_text(OWN)
    config = tmp_path / "collector.yaml"
    config.write_text(f"collector:\n  state: {state}\n  packs: [hosts]\n")
    values = [{CPU: 60.0, DISK: 20.0}] * 20
    now = now_ms()
    asyncio.run(
        live(state, load_rules(load(config, {})), now - 200_000, now, {"web-1": ({"role": "web"}, values)})
    )
    return mine


def test_a_program_reads_all_of_it(tmp_path: Path, state: Path, watchkeeper: Command) -> None:
    mine = house(tmp_path, state)
    said = watchkeeper("rules", "explain", "web-1", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    rules = {(one["rule"], one["series"]): one for one in found["says"]}
    cpu = rules["cpu-high", CPU]
    assert (cpu["file"], cpu["line"], cpu["limits"]) == (str(mine), 2, {"warning": 50.0})
    assert (cpu["value"], cpu["state"], cpu["for_s"]) == (60.0, "firing", 60.0)
    assert cpu["takes_the_place_of"].startswith(f"{PACKS / 'hosts.yaml'}:")
    disk = rules["disk-full", DISK]
    assert (disk["state"], disk["limits"]) == ("ok", {"warning": 85.0, "critical": 95.0})
    both = rules["both", 'rules_firing{rule="both"}']
    assert (both["state"], both["value"], both["limits"]) == ("firing", 1.0, {"critical": 1.0})
    jumps = rules["cpu-jumps", CPU]
    assert (jumps["state"], jumps["value"]) == ("ok", 0.0), "not the newest sample, which is no rate"
    assert rules["cpu-slow", CPU]["value"] is None, "there is no hour of samples yet"
    assert jumps["limits_said"] == "warning > 9 % per s"
    mute = rules["cpu-unanswered", CPU]
    assert (mute["limits"], mute["limits_said"], list(mute["tells"])) == ({}, "critical", ["critical"])
    assert rules["host-absent", ""]["limits"] == {"critical": 30.0}
    assert {"memory-high", "out-of-memory"} <= set(found["idle"])
    assert (found["others"], found["off"]) == (1, ["disk-inodes-full"])


def test_a_person_reads_first_what_is_not_well_and_then_a_line_for_each_rule(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    mine = house(tmp_path, state)
    out = watchkeeper("rules", "explain", "web-1").out
    bad, _, well = out.partition("Well: ")
    (cpu,) = [line for line in bad.splitlines() if " cpu-high  " in line]
    for part in ("warning for", CPU, "60 %", "warning > 50 %", "60 s", f"{mine}:2"):
        assert part in cpu
    first, second = bad.splitlines()[5:7]
    assert (first.split()[0], second.split()[0]) == ("critical", "warning"), "the gravest first"
    assert "pack hosts" not in bad
    (disk,) = [line for line in well.splitlines() if line.startswith("disk-full  ")]
    for part in (DISK, "20 %", "warning > 85 %, critical > 95 %", "5 min", "pack hosts:"):
        assert part in disk
    (filling,) = [line for line in well.splitlines() if line.startswith("disk-filling  ")]
    assert "warning < 24 h, critical < 4 h" in filling
    assert "About it, but it has no such series now: memory-high" in out


def test_limits_that_were_set_while_the_collector_ran_are_those_that_hold(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    house(tmp_path, state)
    (tmp_path / "rules.d" / "mine.yaml").write_text("rules: []")

    async def change() -> None:
        store = await open_store(state, role="collector")
        await store.settings.change([Setting("thresholds.cpu_warning_pct", "55", now_ms(), "ada")], [])
        await store.close()

    asyncio.run(change())
    out = watchkeeper("rules", "explain", "web-1").out
    (cpu,) = [line for line in out.splitlines() if " cpu-high  " in line]
    assert "warning > 55 %, critical > 95 %" in cpu


ROUTES = """  channels: [{kind: log, name: mail}, {kind: log, name: phone, from_severity: critical}]
  routes:
    - {rules: [disk-*], channels: [phone]}
    - {rules: [cpu-*], channels: ["*"]}
  maintenance: [{name: inodes, when: "daily 00:00 to 24:00", rules: [host-absent]}]
"""


def test_it_says_whom_each_rule_would_tell_now(tmp_path: Path, state: Path, watchkeeper: Command) -> None:
    house(tmp_path, state)
    config = tmp_path / "collector.yaml"
    config.write_text(config.read_text() + ROUTES)
    found = json.loads(watchkeeper("rules", "explain", "web-1", "--json").out)
    tells = {one["rule"]: one["tells"] for one in found["says"]}
    assert tells["disk-full"] == {"warning": [], "critical": ["phone"]}
    assert tells["cpu-high"] == {"warning": ["mail"]}
    assert tells["host-absent"] == {"critical": []}
    why = {one["rule"]: one["not_told"] for one in found["says"]}
    assert (why["cpu-high"], why["both"]) == ([], ["Nobody is told: no route fits it."])
    out = watchkeeper("rules", "explain", "web-1").out
    assert "warning: nobody; critical: phone" in out
    assert "maintenance (inodes)." in out


def test_a_host_that_is_not_there_is_said(tmp_path: Path, state: Path, watchkeeper: Command) -> None:
    house(tmp_path, state)
    said = watchkeeper("rules", "explain", "web-2")
    assert (said.code, 'there is no host "web-2"' in said.err) == (2, True)
