"""What lies in the folder that the config names: how it is opened, by the collector and by the tools beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from collector.caretaker import Caretaker, Told, nobody
from collector.config import Loaded
from collector.store import Store, StoreError
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from collector.stores.sqlite.folder import make_names_lasting

KEY_BYTES = 32


async def open_state(loaded: Loaded, role: Literal["collector", "tool"], told: Told = nobody) -> Store:
    """The store in the folder that the config names. ConfigError when that folder will not do, however often it is
    tried; StoreError for what may pass. `told` hears, in a thread of its own, of what takes long."""
    try:
        return await open_store(loaded.state, role=role, told=told)
    except StoreError as trouble:
        if trouble.passing:
            raise
        raise loaded.error("state", str(trouble)) from None


def caretaker(loaded: Loaded) -> Caretaker:
    """For what is done to that same store from outside the collector."""
    return SqliteCaretaker(loaded.state)


def write_private(file: Path, text: str) -> None:
    """Put a line that only the collector's user may read into a file, whole or not at all. StoreError."""
    try:
        with _written_beside(file, f"{text}\n".encode()) as fresh:
            fresh.replace(file)
        make_names_lasting(file.parent)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from None


def key_in(folder: Path, name: str) -> bytes:
    """A key of this collector's own, in a file that only its user may read; made when it is missing, and then on disk
    before anything is signed with it. StoreError."""
    file = folder / name
    try:
        if not file.exists():
            _make_key(file)
        key = file.read_bytes()
    except OSError as error:
        raise StoreError(f"the key {file} cannot be kept: {error.strerror}") from None
    if len(key) < KEY_BYTES or not any(key):  # a power cut may leave noughts, by which everybody could sign
        raise StoreError(f"the key {file} is damaged; remove it, and a new one is made", passing=False)
    return key


def _make_key(file: Path) -> None:
    """Of two who make it at once, one is first, and both use that."""
    with _written_beside(file, secrets.token_bytes(KEY_BYTES)) as fresh, contextlib.suppress(FileExistsError):
        file.hardlink_to(fresh)
    make_names_lasting(file.parent)


@contextlib.contextmanager
def _written_beside(file: Path, content: bytes) -> Iterator[Path]:
    """A file of this content that is on disk, under another name until it is given the right one; gone afterwards."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)
