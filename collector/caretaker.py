"""What is done to a whole store from outside the collector: it is copied, put back, and looked through.

A contract, as `store` is one: an engine brings it, the command line asks for it. It blocks, for nobody else waits in a
process of its own. Every method may raise StoreError, and nothing else but KeyboardInterrupt, after which all is as it
was before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

Told = Callable[[str, float | None], None]
"""Is told now and then what is being done, and which share of it is done where that can be known."""


def nobody(what: str, share: float | None) -> None:
    """Where nobody waits for word."""


class Copied(Struct, frozen=True):
    """A copy that was made and found sound. `newest_at`: when its newest batch arrived, None without any."""

    file: Path
    size_bytes: int
    hosts: int
    batches: int
    newest_at: int | None


class Restored(Struct, frozen=True):
    """`copied` is in `database` now; what was there before is in `before`, None when there was nothing."""

    copied: Copied
    database: Path
    before: Path | None


class Tier(Struct, frozen=True):
    """What one way of keeping samples takes: `rows` of the table, `batches` in them, `bytes` with all that belongs to
    it (indexes, room left in pages) where the engine can tell, and by themselves otherwise. `samples` counts a series
    of a batch once; rollups hold no samples. The times are of the oldest and the newest."""

    name: str
    rows: int
    batches: int
    samples: int
    bytes: int
    oldest_at: int | None
    newest_at: int | None


class HostUse(Struct, frozen=True):
    """What the samples and rollups of one host take by themselves."""

    name: str
    batches: int
    samples: int
    bytes: int
    oldest_at: int | None
    newest_at: int | None


class Contents(Struct, frozen=True):
    """What is in a store. `free_bytes` of `file_bytes` are empty; `log_bytes` lie beside it, to be taken in.

    `tiers` are the fresh samples first; `hosts` are those that take most first, with those that were removed as long as
    samples of theirs are still to go; `others` is what lies beside samples.
    """

    file_bytes: int
    log_bytes: int
    free_bytes: int
    tiers: list[Tier]
    hosts: list[HostUse]
    others: dict[str, int]


class Found(Struct, frozen=True):
    """`damage` is what is wrong, in the engine's words, empty when all is sound. `contents` is None if unreadable."""

    place: Path
    damage: list[str]
    contents: Contents | None


class Caretaker(Protocol):
    def backup(self, file: Path, told: Told, *, replace: bool) -> Copied:
        """Write the store as it is at one moment into `file`; a collector may be at work in it meanwhile.

        `file` is there whole or not at all, and sound. Without `replace` a file that is there is refused.
        """
        ...

    def restore(self, file: Path, told: Told, *, replace: bool) -> Restored:
        """Put a copy in the store's place. Refused while a collector is at work there, and when the copy is not sound.

        Without `replace` it is refused, too, when what an earlier restore has put aside would have to go.
        """
        ...

    def check(self, told: Told) -> Found:
        """Read all that there is, and see whether it is sound and how much of what it is. Changes nothing; a collector
        may be at work meanwhile."""
        ...
