"""Slack, or whatever takes the messages of a Slack incoming webhook (Mattermost, Rocket.Chat, Discord's /slack)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from agent.options import Secret
from collector.channels import ChannelOptions, Failed, Message, Sent
from collector.channels._http import check_url, judged
from collector.posting import Answer, NoAnswer, Poster

TITLE_LETTERS_MAX = 150
SECTION_LETTERS_MAX = 3_000
"""Slack refuses a longer one. Both count the letters after escaping."""

URL_LETTERS = ":/?#[]@!$'()*+,;=%~"
"""What an address may hold as it is: of the letters that Slack reads as its own, none."""

MEANS = {
    "action_prohibited": "the workspace's administrators forbid it",
    "channel_is_archived": "the Slack channel is archived",
    "channel_not_found": "the Slack channel is gone",
    "invalid_token": "the webhook's token is wrong or was withdrawn; make a new webhook and put its url here",
    "no_service": "the webhook was removed or switched off; make a new one and put its url here",
    "no_team": "the workspace is gone",
    "posting_to_general_channel_denied": "only some may write to this Slack channel",
    "rollup_error": "Slack itself failed",
}


class Options(ChannelOptions, kw_only=True, frozen=True):
    """url: the incoming webhook's address, https://hooks.slack.com/services/..."""

    url: Secret

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)


class Channel:
    def __init__(self, options: Options) -> None:
        self.timeout_s = options.timeout_s
        self._poster = Poster(options.url, options.timeout_s)

    async def send(self, message: Message) -> Sent | Failed:
        answer = await self._poster.post(msgspec.json.encode(payload(message)), {})
        return understood(answer, self._poster.where)

    async def close(self) -> None:
        await self._poster.aclose()


def payload(message: Message) -> dict[str, Any]:
    """`text` is what the phone's lock screen shows, `blocks` what the channel shows."""
    title = escaped(message.title, TITLE_LETTERS_MAX)
    text = escaped(message.body, SECTION_LETTERS_MAX)
    ways = [("Open the incident", message.link), *((way.label, way.url) for way in message.actions)]
    links = " · ".join(f"<{quote(url, safe=URL_LETTERS)}|{label}>" for label, url in ways if url)
    sections = [f"*{title}*" if title else "", text, links]
    return {
        "text": title or text,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": section, "verbatim": True}}
            for section in sections
            if section
        ],
        "unfurl_links": False,
    }


def escaped(text: str, letters_max: int) -> str:
    """The three letters that Slack reads as its own made harmless, cut so that none is cut in two."""
    pieces = [
        {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(letter, letter) for letter in text[: letters_max + 1]
    ]
    if sum(map(len, pieces)) <= letters_max:
        return "".join(pieces)
    kept, room = [], letters_max - 1
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def understood(answer: Answer | NoAnswer, where: str) -> Sent | Failed:
    """What Slack says with its status is clear; what it means by its one word is said in a sentence."""
    outcome = judged(answer, where)
    meaning = MEANS.get(answer.body) if isinstance(answer, Answer) else None
    if isinstance(outcome, Failed) and meaning:
        return msgspec.structs.replace(outcome, answer=f"{outcome.answer}: {meaning}")
    return outcome
