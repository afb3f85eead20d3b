"""The PagerDuty channel against a receiver that keeps the rules of the Events API, version 2, as they are published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from agent.options import Secret
from collector.channels import Failed, Message, Sent
from collector.channels.pagerduty import Channel, Options
from collector.messages import Action
from rules.model import Line, Notice
from tests.collector.owed import notice
from tests.receivers import HttpReceiver

KEY = "0123456789abcdef0123456789abcdef"
LINK = "https://wk.example.org/incidents/7"


class PagerDuty:
    """`open` are its open incidents by key, `taken` all events it took. It hangs before event number `hangs_at`."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, Any]] = {}
        self.taken: list[dict[str, Any]] = []
        self.hangs_at: int | None = None

    async def enqueue(self, request: web.Request) -> web.Response:
        event = await request.json()
        if len(self.taken) == self.hangs_at:
            await asyncio.sleep(60)
        if (fault := self._fault_of(event)) is not None:
            return web.json_response({"status": "invalid event", "errors": [fault]}, status=400)
        self.taken.append(event)
        if event["event_action"] == "resolve":
            self.open.pop(event["dedup_key"], None)
        else:
            self.open[event["dedup_key"]] = event
        return web.json_response({"status": "success", "dedup_key": event["dedup_key"]}, status=202)

    def _fault_of(self, event: dict[str, Any]) -> str | None:
        payload = event.get("payload", {})
        if event.get("routing_key") != KEY:
            return "Invalid routing key"
        if event["event_action"] not in ("trigger", "acknowledge", "resolve"):
            return "'event_action' is invalid"
        if not 0 < len(event["dedup_key"]) <= 255:
            return "Length of 'dedup_key' is incorrect (should be between 1 and 255)"
        if event["event_action"] == "resolve":
            return None
        if not 0 < len(payload["summary"]) <= 1024:
            return "Length of 'summary' is incorrect (should be between 1 and 1024)"
        if payload["severity"] not in ("critical", "error", "warning", "info") or not payload["source"]:
            return "'payload' is invalid"
        return None


@pytest.fixture
async def there() -> AsyncIterator[tuple[PagerDuty, str]]:
    pagerduty, app = PagerDuty(), web.Application()
    app.router.add_post("/v2/enqueue", pagerduty.enqueue)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield pagerduty, f"http://127.0.0.1:{runner.addresses[0][1]}/v2/enqueue"
    await runner.cleanup()


def channel(url: str, key: str = KEY, timeout_s: float = 2.0) -> Channel:
    return Channel(Options(name="duty", integration_key=Secret(key), url=Secret(url), timeout_s=timeout_s))


def owed(reason: str = "first", **more: Any) -> Notice:
    told = notice(reason=reason, **more)  # type: ignore[arg-type]
    return replace(told, id=f"wk-9a03b7ba-7-0-{reason}-critical-duty")


async def send(url: str, *notices: Notice, key: str = KEY) -> list[Sent | Failed]:
    sender = channel(url, key)
    try:
        return [
            await sender.send(Message(one, LINK, actions=(Action("Acknowledge", LINK),))) for one in notices
        ]
    finally:
        await sender.close()


async def test_an_incident_is_opened_there_with_all_that_must_be_known(there: tuple[PagerDuty, str]) -> None:
    pagerduty, url = there
    (outcome,) = await send(url, owed())
    assert isinstance(outcome, Sent)
    assert "202" in outcome.answer
    (event,) = pagerduty.open.values()
    assert event["payload"] == {
        "summary": "web-1: disk / is at 97 %",
        "source": "web-1",
        "severity": "critical",
        "timestamp": "2025-11-20T00:53:20.000Z",
        "class": "disk-full",
        "custom_details": {"text": "97.2 % used, limit 95 %, since 02:13"},
    }
    assert [link["text"] for link in event["links"]] == ["Open the incident", "Acknowledge"]


async def test_it_is_one_incident_there_however_often_it_is_told_and_ends_with_ours(
    there: tuple[PagerDuty, str],
) -> None:
    pagerduty, url = there
    await send(url, owed(severity="warning"), owed("escalated"), owed("repeat"))
    assert len(pagerduty.open) == 1
    await send(url, owed("resolved", title="RESOLVED web-1: disk / is at 97 %"))
    assert pagerduty.open == {}


async def test_of_a_message_about_several_each_is_an_incident_of_its_own(
    there: tuple[PagerDuty, str],
) -> None:
    pagerduty, url = there
    await send(url, owed(), owed(incident=8))
    lines = [Line(9, "first", "warning", "web-9: slow"), Line(8, "resolved", "critical", "web-8: down")]
    await send(url, replace(owed("digest"), about=lines))
    assert {key.rpartition("-")[2] for key in pagerduty.open} == {"7", "9"}
    assert pagerduty.open["wk-9a03b7ba-incident-9"]["payload"]["summary"] == "WARNING web-9: slow"


async def test_a_try_that_was_broken_off_is_gone_on_with(there: tuple[PagerDuty, str]) -> None:
    pagerduty, url = there
    pagerduty.hangs_at = 2
    lines = [Line(number, "first", "warning", f"web-{number}: slow") for number in range(5)]
    message = Message(replace(owed("digest"), about=lines), LINK)
    sender = channel(url, timeout_s=1.0)
    outcome = await sender.send(message)
    assert isinstance(outcome, Failed)
    assert outcome.unsure
    pagerduty.hangs_at = None
    assert isinstance(await sender.send(message), Sent)
    await sender.close()
    assert [event["dedup_key"][-1] for event in pagerduty.taken] == ["0", "1", "2", "3", "4"]


async def test_a_key_that_is_none_closes_the_channel_and_is_never_shown(there: tuple[PagerDuty, str]) -> None:
    _, url = there
    (outcome,) = await send(url, owed(), key="SECRETSECRET")
    assert isinstance(outcome, Failed)
    assert outcome.closed
    assert "integration_key is none" in outcome.answer
    assert "SECRET" not in outcome.answer


async def test_a_title_of_any_length_is_taken_and_an_event_of_no_host_has_a_source(
    there: tuple[PagerDuty, str],
) -> None:
    pagerduty, url = there
    (outcome,) = await send(url, replace(owed(title="x" * 5_000), host="", alerts=[]))
    assert isinstance(outcome, Sent)
    assert pagerduty.taken[0]["payload"]["source"] == "watchkeeper"


@pytest.mark.parametrize(
    ("behaviour", "closed", "permanent"), [("status:500", False, False), ("busy:7", False, False)]
)
async def test_what_may_pass_is_tried_again(
    http: HttpReceiver, behaviour: str, closed: bool, permanent: bool
) -> None:
    http.behaviour = behaviour
    (outcome,) = await send(http.url, owed())
    assert isinstance(outcome, Failed)
    assert (outcome.closed, outcome.permanent) == (closed, permanent)
