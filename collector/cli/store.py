"""`watchkeeper store check`: whether what is kept is sound, and what takes how much of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from collector.caretaker import Contents, Found, HostUse, Tier
from collector.cli import Commands, House, add_config
from collector.cli.progress import Progress

HOSTS_SHOWN = 20
TIERS = {"fresh": "fresh, as they came", "packed": "packed by the hour", "rollups": "rollups by the day"}


def add_to(commands: Commands, house: House) -> None:
    store = commands.add_parser("store", help="look after what is kept")
    verbs = store.add_subparsers(required=True, metavar="COMMAND")
    check = verbs.add_parser(
        "check",
        help="read all that is kept: is it sound, and what takes how much? (a collector may be at work)",
        description="Ends with 1 when something is damaged.",
    )
    check.add_argument("--json", action="store_true", help="for programs, with all hosts")
    add_config(check)
    check.set_defaults(command=partial(_check, house))


def _check(house: House, arguments: argparse.Namespace) -> int:
    caretaker = house.caretaker(house.load(arguments.config))
    with Progress() as progress:
        found = caretaker.check(progress)
    print(as_json(found) if arguments.json else as_text(found))
    return 1 if found.damage else 0


# --- for programs -----------------------------------------------------------------------------------------------------


def as_json(found: Found) -> str:
    plain: dict[str, Any] = msgspec.to_builtins(found, enc_hook=str)
    contents = plain["contents"]
    if contents is not None:
        for use in (*contents["tiers"], *contents["hosts"]):
            use["bytes_per_sample"] = use["bytes"] / use["samples"] if use["samples"] else None
            for time in ("oldest_at", "newest_at"):
                use[time] = (
                    None if use[time] is None else _instant(use[time]).isoformat().replace("+00:00", "Z")
                )
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


# --- for people -------------------------------------------------------------------------------------------------------


def as_text(found: Found) -> str:
    lines = [f"{found.place} is damaged:", *(f"  {words}" for words in found.damage), ""]
    if not found.damage:
        lines = [f"{found.place} is sound: every page of it was read.", ""]
    if found.contents is None:
        return "\n".join(
            [*lines, "What is in it cannot be told. Put a backup in its place: watchkeeper restore FILE"]
        )
    return "\n".join(lines + _contents(found.contents))


def _contents(contents: Contents) -> list[str]:
    others = ", ".join(f"{count:,} {name}" for name, count in contents.others.items())
    lines = [
        others,
        f"{_mib(contents.file_bytes)} on disk, of which {_mib(contents.free_bytes)} are empty, "
        f"and {_mib(contents.log_bytes)} of log beside it",
        "",
    ]
    lines += _table(("SAMPLES", *HEADS), [(TIERS[tier.name], *_columns(tier)) for tier in contents.tiers])
    shown = contents.hosts[:HOSTS_SHOWN]
    if shown:
        more = len(contents.hosts) - len(shown)
        lines += ["", *_table(("HOST", *HEADS), [(host.name, *_columns(host)) for host in shown])]
        lines += [f"and {more:,} more that take less; --json has all of them"] if more else []
    return lines


HEADS = ("BATCHES", "SAMPLES", "SIZE", "BYTES A SAMPLE", "FROM", "TO")


def _columns(use: Tier | HostUse) -> Sequence[str]:
    return (
        f"{use.batches:,}" if use.batches else "",
        f"{use.samples:,}" if use.samples else "",
        _mib(use.bytes),
        f"{use.bytes / use.samples:.2f}" if use.samples else "",
        "" if use.oldest_at is None else f"{_instant(use.oldest_at):%Y-%m-%d %H:%M}",
        "" if use.newest_at is None else f"{_instant(use.newest_at):%Y-%m-%d %H:%M}",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, numbers to the right."""
    wide = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
