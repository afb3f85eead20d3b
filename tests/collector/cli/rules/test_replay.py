"""`watchkeeper rules replay`: what the rules would have said of what is stored."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from collector.app import now_ms
from collector.cli.rules.replay import WORK_S, Pace, parse_last
from collector.config import load, load_rules
from collector.desks.replays import Replayed, Step
from collector.store.settings import Setting
from collector.stores.sqlite import open_store
from rules.model import Outcome
from rules.policy import Silence
from tests.collector.cli.conftest import Command
from tests.collector.cli.rules.lived import EVERY_MS, live

CPU, DISK = "cpu_used_pct", 'disk_used_pct{mount="/"}'
CONFIG = "collector:\n  state: {state}\n  packs: [hosts, critical]\n  channels: [{{kind: log, name: log}}]\n"
HOURS = 3


def house(tmp_path: Path, state: Path) -> tuple[int, list[Outcome]]:
    """Three hours of two hosts: one whose CPU is busy twice, and one that falls silent for half an hour."""
    config = tmp_path / "collector.yaml"
    config.write_text(CONFIG.format(state=state))
    batches = HOURS * 360
    busy = [
        {CPU: 99.0 if 60 <= place < 200 or 500 <= place < 620 else 5.0, DISK: 50.0}
        for place in range(batches)
    ]
    silent = [{} if 300 <= place < 480 else {CPU: 5.0} for place in range(batches)]
    now = now_ms()
    start = now - HOURS * 3_600_000 - EVERY_MS
    rules = load_rules(load(config, {}))
    return start, asyncio.run(live(state, rules, start, now, {"busy": ({}, busy), "silent": ({}, silent)}))


def test_it_says_what_was_said_live(tmp_path: Path, state: Path, watchkeeper: Command) -> None:
    _, outcomes = house(tmp_path, state)
    said = watchkeeper("rules", "replay", "--last", "4h", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    live_told = Counter((notice.channel, notice.reason) for outcome in outcomes for notice in outcome.notices)
    assert {(told["channel"], told["reason"]): told["count"] for told in found["messages"]} == live_told
    fired = {rule["rule"]: (rule["fired"], rule["hosts"], rule["told"]) for rule in found["rules"]}
    assert fired["cpu-high"] == (2, 1, {"log": 4}), "twice, and over twice"
    assert fired["host-absent"] == (1, 1, {"log": 2})
    assert fired["disk-full"] == (0, 0, {})
    assert (found["hosts"], found["batches"]) == (2, HOURS * 720 - 180)
    lasted = {rule["rule"]: rule["lasted_ms"] for rule in found["rules"]}
    assert lasted["cpu-high"] == (140 - 90 + 120 - 90) * EVERY_MS


def test_a_person_reads_a_table(tmp_path: Path, state: Path, watchkeeper: Command) -> None:
    house(tmp_path, state)
    said = watchkeeper("rules", "replay", "--last", "4h")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    (cpu,) = [line.split() for line in lines if line.startswith("cpu-high")]
    assert cpu == "cpu-high 2 1 13 min 8 min log 4".split()
    assert "Messages: log 6 (3 first, 3 resolved)" in lines
    assert any(line.startswith("Never fired: ") and "disk-full" in line for line in lines)
    assert said.err == "", "nobody sits before what is no terminal"


def test_a_program_hears_how_far_it_is_and_reads_the_same_result(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    house(tmp_path, state)
    said = watchkeeper("rules", "replay", "--last", "4h", "--json", "--gently", "--progress")
    assert said.code == 0, said.err
    steps = [msgspec.json.decode(line, type=Step) for line in said.err.splitlines()]
    assert steps[0] == Step("replaying", 0.0)
    found = msgspec.json.decode(said.out, type=Replayed)
    assert {rule.rule: rule.fired for rule in found.rules if rule.fired} == {"cpu-high": 2, "host-absent": 1}


def test_a_limit_that_was_set_while_the_collector_ran_holds(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    house(tmp_path, state)
    asyncio.run(set_while_it_ran(state, "thresholds.cpu_warning_pct", 3))
    found = json.loads(watchkeeper("rules", "replay", "--last", "4h", "--rule", "cpu-high", "--json").out)
    (cpu,) = found["rules"]
    assert cpu["hosts"] == 2, "both are above 3 % now"


async def set_while_it_ran(state: Path, key: str, value: object) -> None:
    store = await open_store(state, role="collector")
    await store.settings.change([Setting(key, json.dumps(value), now_ms(), "ada")], [])
    await store.close()


def test_a_rule_that_is_switched_off_is_tried_by_its_name_alone(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    house(tmp_path, state)
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "own.yaml").write_text(
        "rules:\n  - {name: sleepy, metric: cpu_used_pct, above: 90, enabled: false}\n"
    )
    found = json.loads(watchkeeper("rules", "replay", "--last", "4h", "--json").out)
    assert "sleepy" not in {rule["rule"] for rule in found["rules"]}
    found = json.loads(watchkeeper("rules", "replay", "--last", "4h", "--rule", "sleepy", "--json").out)
    (sleepy,) = found["rules"]
    assert (sleepy["rule"], sleepy["fired"], sleepy["hosts"]) == ("sleepy", 2, 1)


async def test_what_is_done_gently_rests_as_long_as_it_works() -> None:
    pace = Pace(0.5)
    began_s, worked_s = time.monotonic(), 0.0
    while time.monotonic() - began_s < 0.6:
        busy_until_s = time.monotonic() + WORK_S
        while time.monotonic() < busy_until_s:
            pass
        worked_s += WORK_S
        await pace.rest()
    assert worked_s <= 0.6 * (time.monotonic() - began_s)


def test_a_site_that_was_cut_off_is_told_as_it_was_live(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(CONFIG.format(state=state))
    silent = [{} if 100 <= place < 200 else {CPU: 5.0} for place in range(300)]
    now = now_ms()
    hosts = {f"web-{number}": ({}, silent) for number in (1, 2, 3)}
    start = now - 301 * EVERY_MS
    outcomes = asyncio.run(live(state, load_rules(load(config, {})), start, now, hosts))
    assert sum(len(outcome.notices) for outcome in outcomes) == 2
    said = watchkeeper("rules", "replay", "--last", "2h", "--json")
    assert said.code == 0, said.err
    fired = {
        rule["rule"]: (rule["fired"], rule["hosts"], rule["told"]) for rule in json.loads(said.out)["rules"]
    }
    assert fired["silent-at-once"] == (1, 0, {"log": 2})
    assert fired["host-absent"] == (3, 3, {})


def test_of_a_host_that_was_cut_off_it_says_what_was_said_live(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(CONFIG.format(state=state))
    values = [{CPU: 99.0 if 100 <= place < 220 or place >= 500 else 5.0} for place in range(600)]
    now = now_ms()
    outcomes = asyncio.run(
        live(
            state,
            load_rules(load(config, {})),
            now - 600 * EVERY_MS,
            now,
            {"far": ({}, values)},
            cut_off={"far": (60, 300)},
        )
    )
    live_told = Counter((notice.channel, notice.reason) for outcome in outcomes for notice in outcome.notices)
    assert live_told == {("log", "first"): 2, ("log", "resolved"): 1}, "silent, heard again, busy at the end"
    found = json.loads(watchkeeper("rules", "replay", "--last", "2h", "--json").out)
    assert {(told["channel"], told["reason"]): told["count"] for told in found["messages"]} == live_told
    rules = {rule["rule"]: rule for rule in found["rules"]}
    assert (rules["host-absent"]["fired"], rules["host-absent"]["told"]) == (1, {"log": 2})
    assert (rules["cpu-high"]["fired"], rules["cpu-high"]["late"]) == (1, 1)
    out = watchkeeper("rules", "replay", "--last", "2h").out
    assert "LATE: bad in batches that came when it was over already, so nobody is told." in out


def test_it_tells_nobody_what_was_silenced_then(tmp_path: Path, state: Path, watchkeeper: Command) -> None:
    start, _ = house(tmp_path, state)

    async def silence() -> None:
        store = await open_store(state, role="collector")
        await store.policy.add_silence(
            Silence(where={"host": "busy"}, start=start, end=now_ms() + 60_000, by="ada"), now_ms()
        )
        await store.close()

    asyncio.run(silence())
    found = json.loads(watchkeeper("rules", "replay", "--last", "4h", "--json").out)
    fired = {rule["rule"]: (rule["fired"], rule["told"]) for rule in found["rules"]}
    assert (fired["cpu-high"], fired["host-absent"]) == ((2, {}), (1, {"log": 2}))


def test_one_rule_may_be_replayed_alone(tmp_path: Path, state: Path, watchkeeper: Command) -> None:
    house(tmp_path, state)
    found = json.loads(watchkeeper("rules", "replay", "--last", "4h", "--rule", "cpu-high", "--json").out)
    assert [(rule["rule"], rule["fired"]) for rule in found["rules"]] == [("cpu-high", 2)]
    said = watchkeeper("rules", "replay", "--rule", "cpu-hgh")
    assert (said.code, 'there is no rule "cpu-hgh" that holds' in said.err) == (2, True)


def test_with_a_composite_go_the_rules_that_it_looks_at(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    house(tmp_path, state)
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "mine.yaml").write_text(
        "rules: [{name: any, kind: composite, rules: [cpu-high, disk-full], need: 1}]\n"
    )
    found = json.loads(watchkeeper("rules", "replay", "--last", "4h", "--rule", "any", "--json").out)
    fired = {rule["rule"]: rule["fired"] for rule in found["rules"]}
    assert fired == {"any": 2, "cpu-high": 2, "disk-full": 0}


def test_nothing_in_the_store_is_changed_and_a_collector_may_be_at_work(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    house(tmp_path, state)
    with asyncio.Runner() as loop:
        store = loop.run(open_store(state, role="collector"))
        before = (loop.run(store.remember(0)), loop.run(store.notices.recent(100)))
        assert watchkeeper("rules", "replay", "--last", "4h").code == 0
        assert (loop.run(store.remember(0)), loop.run(store.notices.recent(100))) == before
        loop.run(store.close())


def test_how_far_back_has_an_end() -> None:
    assert parse_last("30d") == 30 * 86_400
    for text in ("0s", "10000d", "soon"):
        with pytest.raises(ValueError, match=r"."):
            parse_last(text)


def test_what_would_have_been_foretold_is_told_as_well(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(CONFIG.format(state=state))
    batches = HOURS * 360
    filling = [{DISK: 60 + 20 * place / batches} for place in range(batches)]
    still = [{DISK: 70.0}] * batches
    now = now_ms()
    start = now - HOURS * 3_600_000 - EVERY_MS
    asyncio.run(live(state, [], start, now, {"filling": ({}, filling), "still": ({}, still)}))
    said = watchkeeper("rules", "replay", "--last", "4h", "--rule", "disk-filling", "--json")
    assert said.code == 0, said.err
    (rule,) = json.loads(said.out)["rules"]
    assert (rule["rule"], rule["fired"], rule["hosts"]) == ("disk-filling", 1, 1)
    assert rule["told"]["log"] == 1


def test_a_rule_that_is_only_tried_is_marked_and_tells_nobody(
    tmp_path: Path, state: Path, watchkeeper: Command
) -> None:
    house(tmp_path, state)
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "mine.yaml").write_text(
        "rules: [{name: cpu-tried, metric: cpu_used_pct, above: 90, observe: true}]\n"
    )
    said = watchkeeper("rules", "replay", "--last", "4h", "--rule", "cpu-tried")
    (line,) = [line for line in said.out.splitlines() if line.startswith("cpu-tried")]
    assert line.split()[:4] == ["cpu-tried", "(only", "tried)", "2"]
    assert line.endswith("none")
    assert "Nobody would have been told anything." in said.out
    said = watchkeeper("rules", "explain", "busy")
    assert "cpu-tried (only tried)" in said.out
    assert "the rule is only being tried" in said.out
