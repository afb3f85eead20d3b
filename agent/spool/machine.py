"""Whether a spool still is on the machine that it began on: a disk image that is copied takes it along.

Two agents that went by one spool id would give the same numbers to different batches, and the collector would take one
of each two for a repeat of the other.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

MACHINE_ID = Path("/etc/machine-id")
SYS_NET = Path("/sys/class/net")
FROM_FACTORY = "0"
"""Of an address of a network card: not drawn by chance, and not set by anyone."""
BYTES_MAX = 4096


class Machine(Struct, frozen=True):
    """What tells a machine from others: the id that its system was given, empty where it has none, and the addresses of
    its network cards. A copy often keeps the former, and never the latter."""

    id: str
    nics: tuple[str, ...]

    def is_other_than(self, before: Machine) -> bool:
        """Where one of the two is not known, it is taken for the same: a wrong no costs less than a wrong yes."""
        other_id = bool(self.id and before.id and self.id != before.id)
        other_nics = bool(self.nics and before.nics and not set(self.nics) & set(before.nics))
        return other_id or other_nics


def this_machine(machine_id: Path = MACHINE_ID, net: Path = SYS_NET) -> Machine:
    return Machine(_line(machine_id), tuple(sorted(_addresses(net))))


def has_moved(file: Path, now: Machine) -> bool:
    """Whether the spool was on another machine when `remember` was called last."""
    try:
        before = msgspec.json.decode(file.read_bytes()[:BYTES_MAX], type=Machine)
    except (OSError, msgspec.DecodeError):
        return False
    return now.is_other_than(before)


def remember(file: Path, now: Machine) -> None:
    """Nothing depends on it until the next copy, so that a full disk is no reason not to start."""
    text = msgspec.json.encode(now)
    with contextlib.suppress(OSError):
        if file.exists() and file.read_bytes() == text:
            return
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text)


def _addresses(net: Path) -> Iterator[str]:
    """Those of cards, not of bridges, tunnels and containers."""
    cards = sorted(net.iterdir()) if net.is_dir() else []
    for card in cards:
        if (card / "device").exists() and _line(card / "addr_assign_type") == FROM_FACTORY:
            yield _line(card / "address")


def _line(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")[:100].strip()
    except OSError:
        return ""
