"""A rule that fails, of a kind that somebody put into the folder: it costs nobody what they have to say."""

from __future__ import annotations

from pathlib import Path

import pytest

import rules.kinds
from collector.config import read_rules
from rules.judging.engine import Rule
from tests.collector.evaluator.house import CPU, OPS, House, settle
from tests.collector.stores.builders import NOW, TICK

KIND = '''"""A reading is odd, but this one cannot stand the number 13."""

from __future__ import annotations

from rules.kinds._limits import LimitOptions, LimitRule
from rules.model import Verdict


class Options(LimitOptions, kw_only=True, frozen=True):
    pass


class Rule(LimitRule):
    def verdict(self, value: float) -> Verdict:
        if value == 13:
            raise ZeroDivisionError("it is 13")
        return super().verdict(value)
'''
FILE = "rules:\n  - {name: superstitious, kind: superstition, metric: cpu_used_pct, above: 12}\n"


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rule:
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "superstition.py").write_text(KIND)
    monkeypatch.setattr(rules.kinds, "__path__", [*rules.kinds.__path__, str(folder)])
    file = tmp_path / "rules.yaml"
    file.write_text(FILE)
    [rule] = read_rules(file)
    return rule


async def test_a_batch_at_which_a_rule_fails_is_kept_acknowledged_and_counted(
    house: House, fragile: Rule, caplog: pytest.LogCaptureFixture
) -> None:
    house.evaluator.replace_rules([fragile, CPU], [OPS])
    assert [await house.push(seq, cpu) for seq, cpu in enumerate([10, 13, 13, 10])] == ["ok"] * 4
    assert await house.stored() == [0, 1, 2, 3]
    assert house.registry.get_sample_value("watchkeeper_unjudged_total") == 2
    assert [record.levelname for record in caplog.records] == ["ERROR"], "it is said once"
    assert "a batch of alice" in caplog.text
    assert "ZeroDivisionError: it is 13" in caplog.text


async def test_it_stands_in_the_health_for_a_minute(house: House, fragile: Rule) -> None:
    house.evaluator.replace_rules([fragile], [OPS])
    await house.push(0, 13)
    health = house.evaluator.health()
    assert health.state == "degraded"
    assert "A batch of alice is kept unjudged" in health.detail
    house.clock.ms += 60_000
    assert house.evaluator.health().state == "ok"


async def test_the_host_is_heard_and_a_batch_that_is_sent_again_is_known(house: House, fragile: Rule) -> None:
    house.evaluator.replace_rules([fragile], [OPS])
    assert [await house.push(1, 13), await house.push(1, 13)] == ["ok", "ok"]
    assert await house.stored() == [1]
    [kept] = await house.store.samples.overview()
    assert (kept.host.last_at, kept.values) == (NOW + TICK, {"cpu_used_pct": 13.0})


async def test_judging_goes_on_with_the_next_batch(house: House, fragile: Rule) -> None:
    house.evaluator.replace_rules([fragile, CPU], [OPS])
    for seq, cpu in enumerate([13, 95, 95, 95]):
        await house.push(seq, cpu)
    assert {alert.rule for alert in await house.store.incidents.open_alerts()} == {
        "superstitious",
        "cpu-high",
    }


async def test_a_past_at_which_a_rule_fails_holds_up_no_other_host(house: House, fragile: Rule) -> None:
    house.evaluator.replace_rules([fragile], [OPS])
    for seq, cpu in ((0, 10), (9, 10), (5, 13)):
        await house.push(seq, cpu)
    await settle(house)
    assert house.evaluator.health().state == "bad", "it was stopped in the end"
    assert house.registry.get_sample_value("watchkeeper_repairs_total") == 1
    assert await house.stored() == [0, 5, 9]
