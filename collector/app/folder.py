"""What lies in the folder that the config names: how it is opened, by the collector and by the tools beside it."""

from __future__ import annotations

from typing import Literal

from collector.caretaker import Caretaker
from collector.config import Loaded
from collector.store import Store, StoreError
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker


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
