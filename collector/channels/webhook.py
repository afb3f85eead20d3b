"""Any program that takes Alertmanager's webhook (version 4): one POST with JSON per notice."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from agent.options import Secret
from collector.channels import ChannelOptions, Failed, Message, PerHour, Sent
from collector.channels._http import check_url, judged, rfc3339
from collector.posting import Poster, origin
from rules.model import Alert, Notice

ALERTS_MAX = 200
NOT_OVER = "0001-01-01T00:00:00Z"  # what Alertmanager writes as the end of what goes on
OURS = {"authorization", "content-length", "content-type", "host", "idempotency-key", "transfer-encoding"}


class Options(ChannelOptions, kw_only=True, frozen=True):
    """url: where to post
    token: sent as "Authorization: Bearer ..."
    headers: more headers, by name; their values are kept secret
    """

    per_hour: PerHour | None = None  # a program keeps count by itself
    url: Secret
    token: Secret | None = None
    headers: dict[str, Secret] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)
        for name, value in self.headers.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) or name.lower() in OURS - {
                "authorization"
            }:
                raise ValueError(f"headers: {name[:100]!r} is no header that can be set here")
            if name.lower() == "authorization" and self.token is not None:
                raise ValueError(
                    "headers: token is given too, and is sent as Authorization; keep one of them"
                )
            if not value.reveal().isprintable():
                raise ValueError(
                    f"headers: the value of {name} holds a line break or another control character"
                )
        if self.token is not None and not self.token.reveal().isprintable():
            raise ValueError("token: it holds a line break or another control character")


class Channel:
    def __init__(self, options: Options) -> None:
        self.timeout_s = options.timeout_s
        self._name = options.name
        secrets = [value.reveal() for value in options.headers.values()]
        headers = {name: value.reveal() for name, value in options.headers.items()}
        if options.token is not None:
            headers["Authorization"] = f"Bearer {options.token.reveal()}"
            secrets.append(options.token.reveal())
        self._poster = Poster(options.url, options.timeout_s, headers, secrets)

    async def send(self, message: Message) -> Sent | Failed:
        body = msgspec.json.encode(payload(message, receiver=self._name))
        answer = await self._poster.post(body, {"Idempotency-Key": message.notice.id})
        return judged(answer, self._poster.where)

    async def close(self) -> None:
        await self._poster.aclose()


def payload(message: Message, receiver: str) -> dict[str, Any]:
    notice = message.notice
    resolved = notice.resolved_at is not None
    told = notice.alerts[:ALERTS_MAX]
    alerts = [alert_entry(alert, message, resolved) for alert in told] or [incident_entry(message, resolved)]
    group = {"incident": str(notice.incident)}
    return {
        "version": "4",
        "groupKey": f'{{}}:{{incident="{notice.incident}"}}',
        "truncatedAlerts": len(notice.alerts) - len(told),
        "status": "resolved" if resolved else "firing",
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": in_common([alert["labels"] for alert in alerts]),
        "commonAnnotations": {
            **in_common([alert["annotations"] for alert in alerts]),
            "title": message.title,
            "description": message.text,
            "reason": notice.reason,
            "perhaps_again": "true" if message.perhaps_again else "false",
        },
        "externalURL": origin(message.link),
        "alerts": alerts,
    }


def alert_entry(alert: Alert, message: Message, resolved: bool) -> dict[str, Any]:
    """An alert that is over has an end; one whose incident is over is over too."""
    notice = message.notice
    end = alert.resolved_at or (notice.resolved_at if resolved else None)
    annotations = {"summary": alert.summary, "runbook_url": alert.runbook}
    numbers = {"value": alert.value, "limit": alert.limit}
    return {
        "status": "firing" if end is None and not resolved else "resolved",
        "labels": {
            **labels(notice),
            "alertname": alert.rule,
            "subject": alert.subject,
            "severity": alert.severity,
        },
        "annotations": {name: text for name, text in annotations.items() if text}
        | {name: f"{number:g}" for name, number in numbers.items() if number is not None},
        "startsAt": rfc3339(alert.since),
        "endsAt": NOT_OVER if end is None else rfc3339(end),
        "generatorURL": message.link,
        "fingerprint": fingerprint(alert.rule, alert.subject),
    }


def incident_entry(message: Message, resolved: bool) -> dict[str, Any]:
    """For a notice without alerts: receivers read the list, and would say nothing about an empty one."""
    notice = message.notice
    end = notice.resolved_at if resolved else None
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {**labels(notice), "alertname": "incident", "severity": notice.severity},
        "annotations": {"summary": message.title},
        "startsAt": rfc3339(notice.started_at),
        "endsAt": NOT_OVER if end is None else rfc3339(end),
        "generatorURL": message.link,
        "fingerprint": fingerprint("incident", str(notice.incident)),
    }


def labels(notice: Notice) -> dict[str, str]:
    return {"incident": str(notice.incident)} | ({"host": notice.host} if notice.host else {})


def in_common(several: list[dict[str, str]]) -> dict[str, str]:
    first, *others = several
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def fingerprint(rule: str, subject: str) -> str:
    """The same for the same rule and subject for ever, as receivers use it to know an alert again."""
    return hashlib.sha256(f"{rule}\0{subject}".encode()).hexdigest()[:16]
