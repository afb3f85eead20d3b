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
