"""`watchkeeper rules`: are they written right, do they say what they should, and whom are they about?"""

from __future__ import annotations

from collector.cli import Commands, House
from collector.cli.rules import check, explain, replay, stories


def add_to(commands: Commands, house: House) -> None:
    rules = commands.add_parser("rules", help="check, test, replay and explain the rules")
    verbs = rules.add_subparsers(required=True, metavar="COMMAND")
    for verb in (check, stories, replay, explain):
        verb.add_to(verbs, house)
