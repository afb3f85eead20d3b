"""The webhook channel against a real HTTP receiver, good, bad and silent."""

from __future__ import annotations

import socket
import time

import pytest

from agent.options import Secret
from collector.channels import Failed, Message, Sent
from collector.channels.webhook import Channel, Options
from tests.collector.owed import BEGAN, alert, notice
from tests.receivers import HttpReceiver

LINK = "https://wk.example.org:8420/incidents/7"
PATH = "/hooks/SECRETPATH?key=SECRETKEY"


def channel(receiver: HttpReceiver, timeout_s: float = 2.0, **options: object) -> Channel:
    return Channel(Options(name="ops", url=Secret(receiver.url + PATH), timeout_s=timeout_s, **options))  # type: ignore[arg-type]


async def send(http: HttpReceiver, message: Message | None = None, timeout_s: float = 2.0) -> Sent | Failed:
    sender = channel(http, timeout_s)
    try:
        return await sender.send(message or Message(notice(), LINK))
    finally:
        await sender.close()


async def test_a_notice_arrives_in_alertmanagers_shape(http: HttpReceiver) -> None:
    assert await send(http) == Sent("200 OK taken")
    (taken,) = http.taken
    assert taken.body == {
        "version": "4",
        "groupKey": '{}:{incident="7"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "ops",
        "groupLabels": {"incident": "7"},
        "commonLabels": {
            "incident": "7",
            "host": "web-1",
            "alertname": "disk-full",
            "subject": 'host:1/series:disk_used_pct{mount="/"}',
            "severity": "critical",
        },
        "commonAnnotations": {
            "summary": "disk / of web-1 is at 97 %",
            "runbook_url": "https://wiki.example.org/disk",
            "value": "97.25",
            "limit": "95",
            "title": "web-1: disk / is at 97 %",
            "description": f"97.2 % used, limit 95 %, since 02:13\n\n{LINK}",
            "reason": "first",
            "perhaps_again": "false",
        },
        "externalURL": "https://wk.example.org:8420",
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    "incident": "7",
                    "host": "web-1",
                    "alertname": "disk-full",
                    "subject": 'host:1/series:disk_used_pct{mount="/"}',
                    "severity": "critical",
                },
                "annotations": {
                    "summary": "disk / of web-1 is at 97 %",
                    "runbook_url": "https://wiki.example.org/disk",
                    "value": "97.25",
                    "limit": "95",
                },
                "startsAt": "2025-11-20T00:53:20.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": LINK,
                "fingerprint": taken.body["alerts"][0]["fingerprint"],
            }
        ],
    }
    assert len(taken.body["alerts"][0]["fingerprint"]) == 16


async def test_a_resolve_has_an_end_and_the_same_fingerprint(http: HttpReceiver) -> None:
    await send(http)
    await send(http, Message(notice(2, reason="resolved", created_at=BEGAN + 90_000), LINK))
    first, resolved = (taken.body for taken in http.taken)
    assert resolved["status"] == resolved["alerts"][0]["status"] == "resolved"
    assert resolved["alerts"][0]["endsAt"] == "2025-11-20T00:54:50.000Z"
    assert first["alerts"][0]["fingerprint"] == resolved["alerts"][0]["fingerprint"]
    assert first["groupKey"] == resolved["groupKey"]


async def test_a_resolved_alert_of_an_incident_that_goes_on_is_resolved_by_itself(http: HttpReceiver) -> None:
    await send(http, Message(notice(alerts=[alert(1), alert(2, resolved_at=BEGAN + 5_000)]), LINK))
    assert http.taken[0].body["status"] == "firing"
    assert [entry["status"] for entry in http.taken[0].body["alerts"]] == ["firing", "resolved"]
    assert "summary" not in http.taken[0].body["commonAnnotations"]


async def test_a_notice_without_alerts_still_has_one_to_show(http: HttpReceiver) -> None:
    await send(http, Message(notice(alerts=[]), ""))
    (entry,) = http.taken[0].body["alerts"]
    assert entry["annotations"] == {"summary": "web-1: disk / is at 97 %"}
    assert http.taken[0].body["externalURL"] == ""


async def test_very_many_alerts_are_cut_and_counted(http: HttpReceiver) -> None:
    await send(http, Message(notice(alerts=[alert(number) for number in range(230)]), LINK))
    assert len(http.taken[0].body["alerts"]) == 200
    assert http.taken[0].body["truncatedAlerts"] == 30


async def test_each_try_carries_the_notices_own_id_the_token_and_the_headers(http: HttpReceiver) -> None:
    sender = channel(http, token=Secret("tok-1"), headers={"X-Team": Secret("blue")})
    await sender.send(Message(notice(), LINK))
    await sender.send(Message(notice(), LINK, perhaps_again=True))
    await sender.close()
    for taken in http.taken:
        assert taken.headers["Idempotency-Key"] == "n-1"
        assert taken.headers["Authorization"] == "Bearer tok-1"
        assert taken.headers["X-Team"] == "blue"
    assert [taken.body["commonAnnotations"]["perhaps_again"] for taken in http.taken] == ["false", "true"]


@pytest.mark.parametrize(
    ("behaviour", "use", "retry_after_s"),
    [
        ("status:500", "later", None),
        ("status:503", "later", None),
        ("status:408", "later", None),
        ("status:425", "later", None),
        ("status:429", "later", None),
        ("busy:7", "later", 7.0),
        ("busy-until:30", "later", 30.0),
        ("busy:soon", "later", None),
        ("status:400", "not this notice", None),
        ("status:413", "not this notice", None),
        ("status:401", "none at all", None),
        ("status:404", "none at all", None),
        ("status:410", "none at all", None),
        ("redirect", "none at all", None),
    ],
)
async def test_an_answer_says_whether_trying_again_makes_sense(
    http: HttpReceiver, behaviour: str, use: str, retry_after_s: float | None
) -> None:
    http.behaviour = behaviour
    outcome = await send(http)
    assert isinstance(outcome, Failed)
    assert use == ("none at all" if outcome.closed else "not this notice" if outcome.permanent else "later")
    assert (outcome.retry_after_s, outcome.unsure) == (retry_after_s, False)
    assert outcome.answer.startswith(f"{http.url} answered ")


async def test_a_redirect_is_not_followed_and_its_secret_not_shown(http: HttpReceiver) -> None:
    http.behaviour = "redirect"
    outcome = await send(http)
    assert "301, it redirects to https://elsewhere.example: redirects are not followed" in outcome.answer
    assert http.tries == 1


async def test_nobody_there_is_a_failure_that_may_pass() -> None:
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken_port.getsockname()[1]}/SECRET"
        sender = Channel(Options(name="ops", url=Secret(url)))
        outcome = await sender.send(Message(notice(), LINK))
        await sender.close()
    assert outcome == Failed(f"no connection to {url[:-7]}: Connection refused")


async def test_a_name_that_leads_nowhere_is_a_failure_that_may_pass() -> None:
    sender = Channel(Options(name="ops", url=Secret("http://nowhere.invalid/SECRET")))
    outcome = await sender.send(Message(notice(), LINK))
    await sender.close()
    assert isinstance(outcome, Failed)
    assert outcome.answer.startswith("the name in http://nowhere.invalid leads nowhere")
    assert not outcome.permanent


async def test_an_untrusted_certificate_is_told(https: HttpReceiver) -> None:
    outcome = await send(https)
    assert isinstance(outcome, Failed)
    assert outcome.answer.startswith(f"the certificate of {https.url} is not trusted: ")
    assert https.taken == []


@pytest.mark.parametrize(("behaviour", "taken"), [("hang", 0), ("hang-after-body", 1)])
async def test_silence_ends_in_time_and_leaves_a_doubt(
    http: HttpReceiver, behaviour: str, taken: int
) -> None:
    http.behaviour = behaviour
    began = time.monotonic()
    outcome = await send(http, timeout_s=1.0)
    assert time.monotonic() - began < 1.5
    assert outcome == Failed(f"no answer from {http.url} within 1 s; it may have been taken", unsure=True)
    assert len(http.taken) == taken


async def test_a_connection_cut_before_the_answer_leaves_a_doubt(http: HttpReceiver) -> None:
    http.behaviour = "cut"
    outcome = await send(http)
    assert isinstance(outcome, Failed)
    assert "broke off before it answered" in outcome.answer
    assert (outcome.unsure, outcome.permanent) == (True, False)


async def test_a_good_status_counts_even_if_its_body_never_ends(http: HttpReceiver) -> None:
    http.behaviour = "drip"
    outcome = await send(http, timeout_s=1.0)
    assert isinstance(outcome, Sent)
    assert outcome.answer.startswith("200 OK ...")


async def test_no_answer_shows_a_secret_that_the_far_side_repeats(http: HttpReceiver) -> None:
    http.behaviour = "echo"
    sender = channel(http, token=Secret("SECRETTOKEN"), headers={"X-Key": Secret("SECRETHEADER")})
    outcome = await sender.send(Message(notice(), LINK))
    await sender.close()
    assert "SECRET" not in outcome.answer
    assert "****" in outcome.answer


async def test_a_closed_channel_can_be_closed_again(http: HttpReceiver) -> None:
    sender = channel(http)
    await sender.close()
    assert isinstance(await sender.send(Message(notice(), LINK)), Sent), "it is opened again for it"
    await sender.close()
    await sender.close()
