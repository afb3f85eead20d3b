"""A whole collector, and hosts that want to join it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.wire import JOIN_PATH, PATH, ROTATE_PATH
from collector.who import LOCAL
from tests.collector.whole import Answer, Whole

PUSH: Mapping[str, Any] = {"v": 1, "spool": "5" * 32, "boot_id": "b", "definitions": ""}


async def code_of(whole: Whole, **asked: Any) -> str:
    """A new one."""
    text, _ = await whole.parts.codes.make(LOCAL, **{"labels": {}, **asked})
    return text


async def join(
    whole: Whole, code: str, name: str = "web-1", token: str = "", *, chosen: bool = False
) -> Answer:
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    return await whole.post_json(JOIN_PATH, {"code": code, "hostname": name, "chosen": chosen}, **shown)


async def rotate(whole: Whole, token: str) -> Answer:
    return await whole.post_json(ROTATE_PATH, {}, Authorization=f"Bearer {token}")


async def push(whole: Whole, token: str) -> int:
    """The status of a push by this token."""
    batch = {"seq": 1, "at": 1, "sent": 1, "every_ms": 10_000, "samples": {"load1": 1.0}}
    answer = await whole.post_json(PATH, {**PUSH, "batches": [batch]}, Authorization=f"Bearer {token}")
    return answer.status
