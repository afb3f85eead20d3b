"""An empty spool and the clock of its host."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.spool import Limits, Spool
from tests.agent.spool.life import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path, clock: Clock) -> Spool:
    return Spool(folder, Limits(), clock.now())
