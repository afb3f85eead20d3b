"""`watchkeeper notices`: what was said to whom, and what became of it."""

from __future__ import annotations

import argparse
from typing import get_args

from collector.cli import Commands, House, number_up_to
from collector.cli.close import did_you_mean
from collector.cli.remote.answers import Notice, NoticeList, ms
from collector.cli.remote.client import Refused, decoded
from collector.cli.remote.command import DONE, Talk, add_talk
from collector.store import Delivery
from rules import words

NOTICES_MAX = 500


def add_to(commands: Commands, house: House) -> None:
    notices = commands.add_parser("notices", help="what was said to whom, and what became of it")
    notices.add_argument(
        "--incident", type=number_up_to(2**53 - 1), metavar="ID", help="about this one alone"
    )
    notices.add_argument("--channel", metavar="NAME", help="by this channel alone")
    notices.add_argument("--delivery", choices=get_args(Delivery), help="only those that stand so")
    notices.add_argument(
        "--limit",
        type=number_up_to(NOTICES_MAX),
        default=50,
        metavar="N",
        help="of the newest 50, if not said",
    )
    add_talk(notices, house, _notices, watch=True)


def _notices(talk: Talk, arguments: argparse.Namespace) -> int:
    asked = {name: getattr(arguments, name) for name in ("incident", "channel", "delivery", "limit")}
    raw = talk.client.get("/notices", asked)
    if talk.for_programs:
        return talk.hand(raw)
    answer = decoded(raw, NoticeList)
    found = answer.items
    if not found:
        talk.paper.say(_why_none(arguments, [one.channel for one in answer.channels]))
        return DONE
    talk.paper.table(
        ("WHEN", "STATE", "CHANNEL", "TRIES", "INCIDENT", "WHY", "WHAT"),
        [
            (
                words.moment(ms(one.created_at)), one.delivery, one.channel, str(one.tries), str(one.incident),
                one.reason, _what(one),
            )
            for one in found
        ],
        {"TRIES", "INCIDENT"},
    )  # fmt: skip
    return DONE


def _why_none(arguments: argparse.Namespace, channels: list[str]) -> str:
    """Refused where the channel that was named is none."""
    if arguments.channel is not None and arguments.channel not in channels:
        meant = did_you_mean(arguments.channel, channels)
        raise Refused(404, "missing", f"there is no channel {arguments.channel[:100]!r}{meant}")
    if not channels:
        return "No notice, and none will come: there is no channel. Name one under `channels:` in the config."
    narrowed = any(getattr(arguments, name) is not None for name in ("incident", "channel", "delivery"))
    if narrowed:
        return "No such notice."
    return f"No notice yet: nothing was to be told. To try it: watchkeeper notify test {channels[0]}"


def _what(one: Notice) -> str:
    """With what the channel answered where it did not take it."""
    again = " (perhaps told twice)" if one.perhaps_again else ""
    answer = f" ({one.answer})" if one.answer and one.delivery != "sent" else ""
    return f"{one.title}{again}{answer}"
