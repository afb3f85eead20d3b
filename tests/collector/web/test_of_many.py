"""What is wrong with many hosts at once, or as many places see it, on the pages."""

from __future__ import annotations

from pathlib import Path

from rules.fleet.shared import SharedCheck
from rules.model import ChannelView, CheckAnswer
from tests.collector.web.site import Site, rules_of_the_packs


async def test_a_check_that_several_hosts_run_is_one_problem_with_a_page_of_its_own(tmp_path: Path) -> None:
    async with Site(tmp_path) as site:
        shop = SharedCheck("shop", {"role": "web"}, "shop", 2)
        site.evaluator.replace_rules(rules_of_the_packs(), [ChannelView("mail")], [shop])
        hosts = [await site.enrol(name, role="web") for name in ("web-1", "web-2", "web-3")]
        for turn in range(40):
            for host in hosts:
                state = "ok" if host is hosts[2] or turn < 3 else "bad"
                said = CheckAnswer("shop", "http", state, site.now, None, "refused")
                await site.send(host, {"load1": 1.0}, checks=[said])
            await site.pass_time(10)
        (incident,) = await site.store.incidents.open()
        said = "shop: 2 of 3 places do not reach it: web-1, web-2 (refused)"
        assert said in (await site.get("/")).text
        page = await site.get(f"/incidents/{incident.id}")
        assert said in page.text
        assert "touches shop" in page.text
        assert "check:shop: first beyond its limit" in page.text
