"""What lies in the folder that the config names: how it is opened, by the collector and by the tools beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Literal

from collector.caretaker import Caretaker
from collector.config import Loaded
from collector.store import Store, StoreError
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker

KEY_BYTES = 32


async def open_state(loaded: Loaded, role: Literal["collector", "tool"]) -> Store:
    """The store in the folder that the config names. ConfigError when that folder will not do, however often it is
    tried; StoreError for what may pass."""
    try:
        return await open_store(loaded.state, role=role)
    except StoreError as trouble:
        if trouble.passing:
            raise
        raise loaded.error("state", str(trouble)) from None


def caretaker(loaded: Loaded) -> Caretaker:
    """For what is done to that same store from outside the collector."""
    return SqliteCaretaker(loaded.state)


def write_private(file: Path, text: str) -> None:
    """Put a line that only the collector's user may read into a file, whole or not at all. StoreError."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"{text}\n")
        fresh.replace(file)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from None


def key_in(folder: Path, name: str) -> bytes:
    """A key of this collector's own, in a file that only its user may read; made when it is missing. StoreError."""
    file = folder / name
    try:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(secrets.token_bytes(KEY_BYTES))
        key = file.read_bytes()
    except OSError as error:
        raise StoreError(f"the key {file} cannot be kept: {error.strerror}") from None
    if len(key) < KEY_BYTES:
        raise StoreError(f"the key {file} is damaged; remove it, and a new one is made", passing=False)
    return key
