"""How much disk the store takes, how much it may take, and what is done to stay within."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from collector.store import StoreError
from collector.stores.sqlite.connection import WAL_BYTES_KEPT
from rules.model import Outcome

LOOK_EVERY_BYTES = 1024 * 1024
"""Of samples: so often a commit looks how full it is."""
RESERVE_BYTES_MAX = 64 * 1024 * 1024
RESERVE_SHARE = 50
"""So much of the disk, one part in fifty at most, is left free: what is known must still be able to be tidied up."""
COMFORT = 0.9
"""Of the budget: from here on what is oldest goes before its time."""

PAGES_GIVEN_BACK_AT_ONCE = 250
"""Some five milliseconds of moving pages about."""
PAGES_KEPT_FREE = 2_000
FREE_SHARE = 20
"""So many pages, or one in twenty, stay in the file: new batches need some again, so it does not shrink for nothing."""


class Room:
    """For any thread. `refusal` is why nothing may be added, and empty as long as it may."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._unseen_bytes = LOOK_EVERY_BYTES
        self.budget_bytes: int | None = None
        self.refusal = ""
        self.short_since: int | None = None
        """From when on samples are kept, if that is later than they should be, for want of room."""

    def let_in(self, connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
        """Before outcomes are kept. StoreError when there is no room for more."""
        self._unseen_bytes += sum(
            outcome.arrival.values.nbytes for outcome in outcomes if outcome.arrival is not None
        )
        if self._unseen_bytes >= LOOK_EVERY_BYTES or self.refusal:
            self.look(connection)
            self._unseen_bytes = 0
        if self.refusal:
            raise StoreError(self.refusal)

    def look(self, connection: sqlite3.Connection) -> None:
        disk = self._disk()
        reserve = min(RESERVE_BYTES_MAX, disk.f_blocks * disk.f_frsize // RESERVE_SHARE)
        if disk.f_bavail * disk.f_frsize < reserve:
            self.refusal = (
                f"no room is left on the disk that holds {self._database} but for the {mib(reserve)} that stay free; "
                "free some and it goes on by itself"
            )
        elif self.budget_bytes is not None and self.used_bytes(connection) >= self.budget_bytes:
            self.refusal = (
                f"{self._database} takes all of its disk_budget, {mib(self.budget_bytes)}, and nothing that may go is "
                "left in it; raise disk_budget, or shorten keep_history"
            )
        else:
            self.refusal = ""

    def is_short(self, connection: sqlite3.Connection) -> bool:
        """Whether something should go before its time."""
        return self.budget_bytes is not None and self.used_bytes(connection) > COMFORT * self.budget_bytes

    def used_bytes(self, connection: sqlite3.Connection) -> int:
        """Without pages that are empty already, and will be given back; with all that the log beside it may take."""
        pages, free, page_bytes = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page_bytes) + WAL_BYTES_KEPT

    def say(self, batches: int, size: int) -> str:
        """How it is, when nothing is wrong."""
        of = "" if self.budget_bytes is None else f" of {mib(self.budget_bytes)}"
        said = f"{batches} batches in {self._database}: {mib(size)}{of}."
        if self.short_since is None:
            return said
        since = datetime.fromtimestamp(self.short_since / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"{said} Samples from before {since} went early to stay within disk_budget."

    def size_and_free(self) -> tuple[int, int]:
        """What the database takes on its disk, and what is left there for us, in bytes. Raises StoreError."""
        disk = self._disk()
        wal = self._database.with_name(self._database.name + "-wal")
        return _size(self._database) + _size(wal), disk.f_bavail * disk.f_frsize

    def _disk(self) -> os.statvfs_result:
        try:
            return os.statvfs(self._database.parent)
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be looked at: {error.strerror}") from error


def give_back_pages(connection: sqlite3.Connection) -> bool:
    """Return to the disk some of what deleting has left empty, in a transaction of its own. True: there is more."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    spare = free - max(PAGES_KEPT_FREE, pages // FREE_SHARE)
    if spare > 0:
        # `execute` would take one step of it, which frees one page: it stops at a row, and this makes empty ones.
        connection.executescript(f"PRAGMA incremental_vacuum({min(spare, PAGES_GIVEN_BACK_AT_ONCE)})")
    return bool(spare > PAGES_GIVEN_BACK_AT_ONCE)


def mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # it may be gone, as the log is when nobody needs it
