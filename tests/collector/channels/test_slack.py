"""The Slack channel against a receiver that is as particular as Slack."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.options import Secret
from collector.channels import Failed, Message, Sent
from collector.channels.slack import Channel, Options, escaped, payload
from tests.collector.owed import notice
from tests.receivers import SLACK_PATH, HttpReceiver, slack_problem

LINK = "https://wk.example.org/incidents/7"


async def send(http: HttpReceiver, path: str = SLACK_PATH, message: Message | None = None) -> Sent | Failed:
    sender = Channel(Options(name="slack", url=Secret(http.url + path), timeout_s=2.0))
    try:
        return await sender.send(message or Message(notice(), LINK))
    finally:
        await sender.close()


async def test_slack_takes_a_notice_and_says_ok(http: HttpReceiver) -> None:
    assert await send(http) == Sent("200 OK ok")
    (taken,) = http.taken
    assert taken.title == "web-1: disk / is at 97 %"
    assert (
        taken.text
        == f"*web-1: disk / is at 97 %*\n97.2 % used, limit 95 %, since 02:13\n<{LINK}|Open the incident>"
    )


async def test_what_slack_would_read_as_markup_is_shown_as_it_is(http: HttpReceiver) -> None:
    await send(http, message=Message(notice(title="a < b & c", text="<!channel> 1 > 0"), LINK))
    assert http.taken[0].title == "a &lt; b &amp; c"
    assert "&lt;!channel&gt; 1 &gt; 0" in http.taken[0].text


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (SLACK_PATH[:-4] + "0000", "403 Forbidden invalid_token: the webhook's token is wrong"),
        ("/services/T0/B0/SECRET", "404 Not Found no_service: the webhook was removed"),
    ],
)
async def test_what_slack_means_is_said_in_a_sentence(http: HttpReceiver, path: str, answer: str) -> None:
    outcome = await send(http, path)
    assert isinstance(outcome, Failed)
    assert outcome.closed
    assert answer in outcome.answer
    assert "SECRET" not in outcome.answer


async def test_slack_being_busy_says_when_to_come_again(http: HttpReceiver) -> None:
    http.behaviour = "busy:3"
    outcome = await send(http)
    assert isinstance(outcome, Failed)
    assert (outcome.permanent, outcome.retry_after_s) == (False, 3.0)


@given(st.text(), st.text())
def test_slack_would_take_whatever_a_notice_holds(title: str, text: str) -> None:
    encoded = msgspec.json.encode(payload(Message(notice(title=title, text=text), LINK)))
    assert slack_problem(msgspec.json.decode(encoded)) == ""


@pytest.mark.parametrize("letter", ["a", "&", "<", "é", "😀"])
def test_a_long_text_is_cut_to_what_slack_takes(letter: str) -> None:
    body = payload(Message(notice(title=letter * 5_000, text=letter * 50_000), LINK))
    assert slack_problem(body) == ""
    assert all(len(block["text"]["text"]) <= 3_000 for block in body["blocks"])


@given(st.text(alphabet="&<>ab", max_size=60), st.integers(min_value=1, max_value=40))
def test_no_escape_is_cut_in_two(text: str, letters_max: int) -> None:
    said = escaped(text, letters_max)
    assert len(said) <= letters_max
    whole = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert said == whole or (said.endswith("…") and whole.startswith(said[:-1]))
    plain = said.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(plain) & {"&", "<", ">", ";"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": 5}, "invalid_payload"),
        ({"text": "a & b"}, "invalid_payload"),
        ({"text": "<https://x|link> &amp; more"}, ""),
        ({"text": "x", "blocks": []}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
            "invalid_blocks",
        ),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
    ],
)
def test_the_receiver_refuses_what_slack_refuses(body: dict[str, object], problem: str) -> None:
    assert slack_problem(body) == problem
