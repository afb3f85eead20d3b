"""A collector that takes everything until it is told otherwise, and an agent that pushes to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.pusher.host import Host
from tests.agent.receiver import Receiver


@pytest.fixture
def host(tmp_path: Path, receiver: Receiver) -> Iterator[Host]:
    host = Host(tmp_path / "spool", receiver)
    yield host
    host.post.close()
    host.spool.close()
