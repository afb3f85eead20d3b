"""A shop that is watched, the rules about it, and what the far side hears of it."""

from __future__ import annotations

from typing import Any

from tests.system.far_side import FarSide, Service
from tests.system.harness import Agent, Collector, Stage, sees_well
from tests.system.programs import wait_until

SHOP_DOWN = {
    "name": "shop-down",
    "metric": 'check_state{check="shop"}',
    "above": 1,
    "severity": "critical",
    "for": "400ms",
    "summary": "{{host}}: the shop does not answer",
}


def shop_check(service: Service, id: str = "shop") -> dict[str, Any]:
    return {"kind": "http", "id": id, "url": service.url, "timeout": "1s"}


def watched(stage: Stage, service: Service, **collector: Any) -> tuple[Collector, Agent]:
    """A collector that knows the rule about the shop, and the agent on its host, which looks at it."""
    made = stage.collector(**{"rules": [SHOP_DOWN], **collector})
    made.start()
    agent = stage.agent("web-1", made.add_host("web-1"), checks=[shop_check(service)])
    agent.start()
    wait_until("the shop to be seen well", lambda: sees_well(made, "shop"))
    return made, agent


def told(collector: Collector, far_side: FarSide, reasons: list[str]) -> bool:
    """Whether mail and Slack each got a message for each of `reasons`, in this order, and nothing else."""
    for channel, kind in (("mail", "mail"), ("slack", "slack")):
        rows = collector.notices(channel)
        assert [row["reason"] for row in rows] == reasons[: len(rows)]
        assert len(far_side.of_kind(kind)) <= len(reasons)
        if [row["delivery"] for row in rows] != ["sent"] * len(reasons):
            return False
        if len(far_side.of_kind(kind)) != len(reasons):
            return False
    return True
