"""The document and what is served are the same thing: made-up requests get answers as documented, and no fault of ours.

Schemathesis makes requests of each operation's own schema, and others that break it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.collector.api.house import House

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 20
NO_LIMITS = "  access: {requests_per_s: 10000, requests_burst: 100000}\n"
THERE = {"id": 1, "name": "shop"}
"""What there is, if anything is: without it hardly any made-up name would lead anywhere."""
ENDLESS = "/api/monitoring/events"


async def live(house: House) -> None:
    """Something of everything, sampled a while ago, so that nobody waits for its agent."""
    agent = await house.enrol("web-1", ago_s=3_600, role="web")
    check = {"id": "site", "kind": "http", "state": "ok", "ms": 5.0}
    await agent.push({"cpu_used_pct": 95.0, 'http_total_ms{check="site"}': 9.0}, checks=[check], ago_s=300)
    await house.do("POST", "/metrics", {"service": "shop", "metrics": [{"name": "a_ms", "value": 1}]}, 202)
    await house.parts.ticks.close()
    await house.do("POST", "/incidents", {"title": "reported"}, 201)
    await house.do("PUT", "/services/shop", {"name": "shop", "checks": [{"id": "site"}]})
    await house.parts.promised.round()


def attack(url: str, token: str) -> list[str]:
    """Every operation asked; what was not as it should be, in words."""
    schema = schemathesis.openapi.from_url(
        f"{url}/api/monitoring/openapi.json", headers={"Authorization": f"Bearer {token}"}
    )
    troubles: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path != ENDLESS:
            _attack_one(operation, token, troubles.append)
    return troubles


def _attack_one(operation: Any, token: str, say: Callable[[str], None]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.booleans())
    def ask(case: Any, known: bool) -> None:
        if known:
            case.path_parameters = {name: THERE[name] for name in case.path_parameters}
        case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {token}"})

    try:
        ask()
    except BaseException as error:
        say(f"{operation.method.upper()} {operation.path}: {error}\n{getattr(error, 'exceptions', '')}")


@pytest.mark.slow
@pytest.mark.parametrize("lived_in", [False, True], ids=["with none yet", "with real data"])
async def test_every_operation_answers_as_documented(tmp_path: Path, lived_in: bool) -> None:
    async with House(tmp_path, NO_LIMITS) as house:
        if lived_in:
            await live(house)
        host, port = house.parts.server.addresses[0]
        troubles = await asyncio.to_thread(attack, f"http://{host}:{port}", house.parts.access.local_token)
    assert not troubles, "\n\n".join(troubles)
