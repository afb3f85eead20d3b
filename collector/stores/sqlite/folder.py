"""The folder a store lives in: made when it is missing, and held by one collector at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from collector.store import StoreError

COLLECTOR, RESTORE = "a collector", "a restore"
HOLDER_BYTES_MAX = 64


class Folder:
    """`database` is the file in it. StoreError says why a folder cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "watchkeeper.db"
        self._lock_path = path / "collector.lock"
        self._lock: int | None = None

    def make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(self.path, error) from error

    def make_database(self) -> None:
        """An empty file that only its owner can read; nothing if there is one already."""
        try:
            os.close(open_owned(self.database, os.O_RDWR | os.O_CREAT))
            make_names_lasting(self.path)
        except OSError as error:
            raise unusable(self.database, error) from error

    def hold(self, who: str = COLLECTOR) -> None:
        """Keep every other collector out, in whose words `who` is in. StoreError when somebody is."""
        try:
            lock = open_owned(self._lock_path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise unusable(self._lock_path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            process, _, holder = os.pread(lock, HOLDER_BYTES_MAX, 0).decode(errors="replace").partition(" ")
            os.close(lock)
            if not isinstance(error, BlockingIOError):
                raise unusable(self._lock_path, error) from error
            number = f"process {process.strip()}" if process else "another process"
            raise StoreError(
                f"{holder.strip() or COLLECTOR} ({number}) is at work in {self.path}; stop it, or name another folder"
            ) from error
        self._lock = lock
        _note(lock, f"{os.getpid()} {who}\n")

    def release(self) -> None:
        """The file stays: were it removed, two collectors could hold one each of the same name."""
        if self._lock is not None:
            lock, self._lock = self._lock, None
            _note(lock, "")
            os.close(lock)


def _note(lock: int, holder: str) -> None:
    """For whoever is kept out. The hold itself needs neither room on the disk nor a disk that can be written."""
    with contextlib.suppress(OSError):
        os.ftruncate(lock, 0)
        os.pwrite(lock, holder.encode(), 0)


def open_owned(path: Path, flags: int) -> int:
    """Open a file, which belongs to the folder's owner when root has to create it (as with `sudo watchkeeper ...`)."""
    created = not path.exists()
    opened = os.open(path, flags, 0o600)
    if created and os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(opened, owner.st_uid, owner.st_gid)
    return opened


def make_names_lasting(path: Path) -> None:
    """Which files a folder holds must survive a power cut as well: SQLite sees to what is in them only."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def unusable(path: Path, error: OSError) -> StoreError:
    what_then = (
        "; it must be writable for the collector's user" if error.errno in (errno.EACCES, errno.EPERM) else ""
    )
    return StoreError(
        f"{path} cannot be used: {error.strerror}{what_then}",
        passing=error.errno in (errno.ENOSPC, errno.EDQUOT),
    )
