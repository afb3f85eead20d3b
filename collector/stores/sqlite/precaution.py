"""A copy of the database as it is, before a newer version of Watchkeeper changes its tables."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3

from collector.caretaker import Told
from collector.store import StoreError
from collector.stores.sqlite.folder import Folder, make_names_lasting, open_owned, unusable

log = logging.getLogger(__name__)

PAGES_AT_ONCE = 4_096


def keep_a_copy(connection: sqlite3.Connection, folder: Folder, step: str, told: Told) -> None:
    """Beside the database, and there whole or not at all. StoreError when the disk has no room for it."""

    def after_piece(_status: int, remaining: int, total: int) -> None:
        told("copying the store before it is changed", 1 - remaining / max(total, 1))

    copy = folder.path / f"watchkeeper-before-{step}.db"
    (pages,), (page_bytes,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
    )
    needed = pages * page_bytes
    part = copy.with_suffix(".part")
    try:
        part.unlink(
            missing_ok=True
        )  # a start that was killed may have left one, in the room that this one needs
        disk = os.statvfs(folder.path)
        if disk.f_bavail * disk.f_frsize < needed:
            raise StoreError(
                f"{folder.database} is to be changed for this version of Watchkeeper, and the copy kept of it before "
                f"needs {needed // 2**20 + 1} MiB; make room on that disk"
            )
        os.close(open_owned(part, os.O_RDWR | os.O_CREAT))
        with contextlib.closing(sqlite3.connect(part)) as target:
            connection.backup(target, pages=PAGES_AT_ONCE, progress=after_piece)
        part.rename(copy)
        make_names_lasting(folder.path)
    except OSError as error:
        raise unusable(copy, error) from error
    finally:
        part.unlink(missing_ok=True)
    log.info(
        "The database as it was before this version of Watchkeeper is kept in %s; it may be removed.", copy
    )
