"""What whole-path tests have in common: a stage for real processes, whose logs are shown when a test fails, and windows
of a real browser, in none of which anything may go wrong unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Needs
from tests.system.harness import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.system.browser import Reader


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        stage.end()
        print("\n".join(stage.logs()))  # pytest shows it for a failure only


@pytest.fixture(scope="module")
def long_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """For what all tests of a file look at, and none of them changes for the others."""
    stage = Stage(tmp_path_factory.mktemp("stage"))
    try:
        yield stage
    finally:
        stage.end()


@pytest.fixture(scope="module")
def browser(needs: Needs) -> Iterator[Browser]:
    needs("chromium")
    from tests.system.browser import browsing  # most tests need none of it

    with browsing() as browser:
        yield browser


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Reader]]:
    """`window(url, **settings)` opens one. When the test is over, no console may have shown an error, no policy may
    have been broken, and nobody else may have been asked for anything."""
    from tests.system.browser import Reader

    opened: list[Reader] = []

    def open_one(url: str, **settings: object) -> Reader:
        opened.append(Reader(browser, url, **settings))
        return opened[-1]

    yield open_one
    troubles = [trouble for reader in opened for trouble in reader.troubles]
    for reader in opened:
        reader.close()
    assert troubles == []
