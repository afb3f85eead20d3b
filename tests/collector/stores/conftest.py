"""Every test in this folder runs against every engine; those in an engine's own folder know the engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest

from collector.store import Store
from collector.stores import sqlite

ENGINES: dict[str, Callable[..., Coroutine[Any, Any, Store]]] = {"sqlite": sqlite.open_store}


class Place:
    """A folder in which stores of one engine are opened, as often and as many as a test wants."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self._opened: list[Store] = []

    async def open(self, role: Literal["collector", "tool"] = "collector") -> Store:
        store = await ENGINES[self.engine](self.folder, role=role)
        self._opened.append(store)
        return store

    async def close(self) -> None:
        while self._opened:
            await self._opened.pop().close()

    async def reopen(self) -> Store:
        """What a restart of the collector finds."""
        await self.close()
        return await self.open()


@pytest.fixture(params=ENGINES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Place, None]:
    place = Place(request.param, tmp_path / "state")
    yield place
    await place.close()


@pytest.fixture
async def store(place: Place) -> Store:
    return await place.open()
