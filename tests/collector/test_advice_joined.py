"""Advice in a whole collector: what is pushed leads to a recommendation and to a hook, and a reload is heard."""

from __future__ import annotations

from pathlib import Path

from collector.app import now_ms
from rules.scaling.model import CPU
from tests.collector.stores.builders import HOUR, arrival
from tests.collector.whole import Whole, whole_collector
from tests.waiting import found

SCALING = """
  scaling:
    - service: shop
      where: {{role: web}}
      targets: {{cpu_used_pct: 70}}
      look_ahead: null
      auto: {auto}
      hook: {{command: [{hook}, "{{{{to}}}}"]}}
"""


def config(folder: Path, auto: str = "true") -> str:
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\necho $1 >> {folder / 'told'}\n")
    hook.chmod(0o755)
    return SCALING.format(auto=auto, hook=hook)


async def busy(whole: Whole) -> None:
    for name in ("a", "b"):
        host = await whole.store.hosts.enrol(
            name, {"role": "web"}, f"token-{name}", b"s" * 32, now_ms() - HOUR
        )
        await whole.parts.evaluator.follow_hosts()
        disk = 'disk_used_pct{mount="/"}'
        await whole.parts.evaluator.take([arrival(host.id, now_ms(), {CPU: 96.0, disk: 50.0})])


async def test_a_push_leads_to_advice_and_to_the_hook(tmp_path: Path) -> None:
    async with whole_collector(tmp_path, config(tmp_path)) as whole:
        await busy(whole)
        await whole.parts.advisor.round()
        standing = whole.parts.advisor.standing("shop")
        assert standing is not None
        assert standing.recommendation is not None
        assert (standing.recommendation.direction, standing.auto) == ("up", True)
        await found(
            lambda: whole.store.advice.runs("shop", 5), lambda runs: any(run.state == "done" for run in runs)
        )
        assert (tmp_path / "told").read_text() == "3\n"
        await whole.parts.capacity.round()
        assert [report.name for report in whole.parts.capacity.reports()] == ["a", "b"]


async def test_a_host_in_maintenance_is_no_instance(tmp_path: Path) -> None:
    work = "\n  maintenance:\n    - {name: move, when: 'daily 00:00 to 24:00', where: {host: a}}\n"
    async with whole_collector(tmp_path, config(tmp_path, "false") + work) as whole:
        await busy(whole)
        await whole.parts.advisor.round()
        standing = whole.parts.advisor.standing("shop")
        assert standing is not None
        assert standing.recommendation is not None
        assert standing.recommendation.current == 1
