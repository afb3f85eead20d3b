"""`watchkeeper rules check`: every mistake in the files of rules, with its file and line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from agent.options import ConfigError
from collector.cli import Commands, House, add_config
from collector.config import WrittenRule, rules_in, written_rules


def add_to(commands: Commands, house: House) -> None:
    check = commands.add_parser(
        "check",
        help="say whether rules are written right",
        description="Without FILE: all that the config names. Ends with 2 when there is a mistake.",
    )
    check.add_argument("files", nargs="*", type=Path, metavar="FILE")
    add_config(check)
    check.set_defaults(command=partial(_check, house))


def _check(house: House, arguments: argparse.Namespace) -> int:
    if not arguments.files:
        print(told(written_rules(house.load(arguments.config))))
        return 0
    found: list[WrittenRule] = []
    mistakes: list[ConfigError] = []
    for file in arguments.files:
        try:
            found += rules_in(file)
        except ConfigError as mistake:
            mistakes.append(mistake)
    for one in mistakes:
        print(f"watchkeeper: {one}", file=sys.stderr)
    if mistakes:
        return 2
    print(told(found))
    return 0


def told(found: Sequence[WrittenRule]) -> str:
    """How many rules there are of which file, and which of them stand in the place of others or are off."""
    files: dict[Path, int] = {}
    for written in found:
        files[written.file] = files.get(written.file, 0) + 1
    lines = [f"{file}: {count} {'rule' if count == 1 else 'rules'}" for file, count in files.items()]
    for written in found:
        name = written.rule.name
        if written.instead_of is not None:
            lines.append(f"{name}: {written.place} takes the place of {written.instead_of.place}")
        if not written.rule.enabled:
            lines.append(f"{name}: switched off by {written.place}")
    return "\n".join([*lines, "The rules are written right."])
