"""What many tests of the agent have about them: a collector that takes everything until it is told
otherwise, and somebody who vouches for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import trustme

from tests.agent.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Whoever trusts it believes the certificates that tests make."""
    return trustme.CA()
