"""PagerDuty: an incident there for each of ours, which ends when ours does (its Events API, version 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from agent.options import Secret
from collector.channels import ChannelOptions, Failed, Message, PerHour, Sent, cut
from collector.channels._http import check_url, judged, rfc3339
from collector.posting import Answer, NoAnswer, Poster
from rules.model import SERVICE, Line, Severity

URL = "https://events.pagerduty.com/v2/enqueue"
SUMMARY_LETTERS_MAX = 1_024
REMEMBERED_MAX = 100
"""Messages of which a part was told."""
KEY_IS_WRONG = "routing"
"""What PagerDuty complains about when it knows no such integration key."""


class Options(ChannelOptions, kw_only=True, frozen=True):
    """integration_key: of an integration "Events API V2" of the service there
    url: where events are posted to; in Europe https://events.eu.pagerduty.com/v2/enqueue
    """

    per_hour: PerHour | None = None  # it tells people by rules of its own
    integration_key: Secret
    url: Secret = Secret(URL)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)
        if not self.integration_key.reveal().isalnum():
            raise ValueError("integration_key: it is made of letters and digits alone")


class Channel:
    def __init__(self, options: Options) -> None:
        self.timeout_s = options.timeout_s
        self._key = options.integration_key.reveal()
        self._poster = Poster(options.url, options.timeout_s, secrets=[self._key])
        self._done: dict[str, int] = {}

    async def send(self, message: Message) -> Sent | Failed:
        """All that the message is about, one event after the other. A try that was broken off is gone on with; what is
        sent twice changes nothing there, as each problem has a key of its own."""
        outcome: Sent | Failed = Sent("it had been told before")
        done = self._done.pop(message.notice.id, 0)
        for event in list(events(message))[done:]:
            self._remember(message.notice.id, done)
            body = msgspec.json.encode({"routing_key": self._key, **event})
            outcome = understood(await self._poster.post(body, {}), self._poster.where)
            if isinstance(outcome, Failed):
                return outcome
            done += 1
        self._done.pop(message.notice.id, None)
        return outcome

    def _remember(self, notice: str, done: int) -> None:
        """How much of a message was told, should this be the last that we hear of this try."""
        self._done[notice] = done
        if len(self._done) > REMEMBERED_MAX:
            del self._done[next(iter(self._done))]

    async def close(self) -> None:
        await self._poster.aclose()


def events(message: Message) -> Iterator[dict[str, Any]]:
    """One for each problem: of a message about several, what stands is told there problem by problem."""
    notice = message.notice
    if not notice.about:
        yield event(
            message, notice.incident, message.title, notice.severity, over=notice.reason == "resolved"
        )
    for line in notice.about:
        yield event(message, line.incident, title(line), line.severity, over=line.reason == "resolved")


def event(message: Message, incident: int, summary: str, severity: Severity, *, over: bool) -> dict[str, Any]:
    notice = message.notice
    collector = "-".join(notice.id.split("-")[:2])
    key = {"dedup_key": f"{collector}-incident-{incident}"}
    if over:
        return {"event_action": "resolve", **key}
    ways = [("Open the incident", message.link), *((way.label, way.url) for way in message.actions)]
    payload = {
        "summary": cut(summary, SUMMARY_LETTERS_MAX),
        "source": notice.host.removeprefix(SERVICE) or "watchkeeper",
        "severity": severity,
        "timestamp": rfc3339(notice.started_at),
        "custom_details": {"text": message.body},
    }
    return {
        "event_action": "trigger",
        **key,
        "payload": payload | ({"class": notice.alerts[0].rule} if notice.alerts else {}),
        "links": [{"href": url, "text": label} for label, url in ways if url],
        "client": "Watchkeeper",
    }


def title(line: Line) -> str:
    """What a problem is called that is told of among others."""
    return " ".join(f"{line.severity.upper()} {line.title}".split())


def understood(answer: Answer | NoAnswer, where: str) -> Sent | Failed:
    """That the key is wrong comes as a complaint about the event, and is none: every event would get that answer."""
    outcome = judged(answer, where)
    is_about_the_key = isinstance(answer, Answer) and KEY_IS_WRONG in answer.body.lower()
    if is_about_the_key and isinstance(outcome, Failed) and outcome.permanent:
        return Failed(
            f"{outcome.answer}: integration_key is none of an integration Events API V2", closed=True
        )
    return outcome
