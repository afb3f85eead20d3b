"""Rules over the API: which hold, and what each says of a host right now."""

from __future__ import annotations

from typing import Any

from tests.collector.api.house import House


async def said_by(house: House, rule: str) -> Any:
    applied = (await house.ask("/hosts/1/rules"))["applied"]
    return [one for one in applied if one["rule"] == rule]


async def test_every_rule_is_told_with_where_it_is_written(house: House) -> None:
    rules = {rule["name"]: rule for rule in (await house.ask("/rules"))["items"]}
    own = rules["cpu-now"]
    assert (own["kind"], own["limits"]) == ("threshold", {"warning": 90.0, "critical": 99.0})
    assert own["written_in"].endswith("own.yaml:3")
    assert rules["host-absent"]["kind"] == "absence"
    assert [rule["name"] for rule in (await house.ask("/rules?q=cpu-n&kind=threshold"))["items"]] == [
        "cpu-now"
    ]
    assert (await house.ask("/rules?kind=moon"))["items"] == []


async def test_limits_that_were_set_while_it_ran_are_those_that_are_told(house: House) -> None:
    await house.do("PUT", "/config", {"cpu_warning_threshold": 61})
    [rule] = (await house.ask("/rules?q=cpu-high"))["items"]
    assert rule["limits"] == {"warning": 61.0, "critical": 95.0}


async def test_a_host_is_told_what_every_rule_says_of_it(house: House) -> None:
    agent = await house.enrol("web-1")
    shown = await house.ask("/hosts/1/rules") if house.parts.evaluator.watch.hosts else None
    assert shown is None
    await agent.push({"cpu_used_pct": 95.0, "memory_used_pct": 10.0, "load1": None})
    [now] = await said_by(house, "cpu-now")
    assert (now["series"], now["value"], now["state"], now["alert"]) == ("cpu_used_pct", 95.0, "firing", 1)
    assert now["limits_said"] == "warning > 90 %, critical > 99 %"
    [memory] = await said_by(house, "memory-high")
    assert (memory["state"], memory["since"], memory["for_s"]) == ("ok", None, 600.0)
    [absent] = await said_by(house, "host-absent")
    assert (absent["series"], absent["limits"]) == ("", {"critical": 30.0})
    assert "disk-full" in (await house.ask("/hosts/1/rules"))["idle"]


async def test_a_host_that_the_judge_does_not_know_is_missing(house: House) -> None:
    assert (await house.get("/hosts/7/rules")).status == 404


async def test_while_a_file_of_rules_has_a_mistake_those_that_were_taken_up_hold(house: House) -> None:
    (house.folder / "rules.d" / "own.yaml").write_text("rules: [{name: x, metrc: y}]")
    house.collector.reload()
    assert [rule["name"] for rule in (await house.ask("/rules?q=cpu-now"))["items"]] == ["cpu-now"]
    (house.folder / "rules.d" / "own.yaml").write_text("rules: [{name: x, metric: y, above: 1}]")
    house.collector.reload()
    assert (await house.ask("/rules?q=cpu-now"))["items"] == []
