"""What many tests of the agent have about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import trustme

from tests.agent.questions import Hanging
from tests.agent.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A collector that takes everything until it is told otherwise."""
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Whoever trusts it believes the certificates that tests make."""
    return trustme.CA()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    check = Hanging()
    yield check
    check.let_go.set()
