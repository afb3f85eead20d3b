"""`watchkeeper backup` and `watchkeeper restore`: a copy of all that is kept, and putting one back."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from collector.caretaker import Copied, Restored
from collector.cli import Commands, House, add_config
from collector.cli.progress import Progress


def add_to(commands: Commands, house: House) -> None:
    backup = commands.add_parser(
        "backup", help="copy all that is kept into one file, while the collector works"
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--force", action="store_true", help="replace a file that is there")
    add_config(backup)
    backup.set_defaults(command=partial(_backup, house))

    restore = commands.add_parser("restore", help="put such a copy back; the collector must be stopped")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--force", action="store_true", help="let go of what an earlier restore put aside")
    add_config(restore)
    restore.set_defaults(command=partial(_restore, house))


def _backup(house: House, arguments: argparse.Namespace) -> int:
    caretaker = house.caretaker(house.load(arguments.config))
    with Progress() as progress:
        copied = caretaker.backup(arguments.file, progress, replace=arguments.force)
    print(f"{copied.file} holds {described(copied)}. It was checked and is sound.")
    return 0


def _restore(house: House, arguments: argparse.Namespace) -> int:
    caretaker = house.caretaker(house.load(arguments.config))
    with Progress() as progress:
        restored = caretaker.restore(arguments.file, progress, replace=arguments.force)
    print(told(restored))
    return 0


def described(copied: Copied) -> str:
    newest = (
        "none of them heard yet" if copied.newest_at is None else f"the newest of {_clock(copied.newest_at)}"
    )
    size_mib = copied.size_bytes / 2**20
    return f"{copied.hosts} hosts and {copied.batches} batches, {newest}, in {size_mib:,.1f} MiB"


def told(restored: Restored) -> str:
    """What was done, and what that means."""
    lines = [f"{restored.database} holds {described(restored.copied)} now."]
    if restored.before is not None:
        lines.append(
            f"What was there is kept as {restored.before}; remove it when you do not need it any more."
        )
    if restored.copied.newest_at is not None:
        since = _clock(restored.copied.newest_at)
        lines.append(f"What agents delivered after {since} is not in it; what they still hold will come.")
    lines.append("Start the collector now.")
    return "\n".join(lines)


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
