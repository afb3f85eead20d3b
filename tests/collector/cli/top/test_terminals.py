"""`top` in terminals that this machine does not know well."""

from __future__ import annotations

import pytest

from tests.collector.cli.glass import Glass

NOBODY = ("top", "--url", "http://127.0.0.1:9")
TOKEN = {"WATCHKEEPER_TOKEN": "wk_api_x"}


def test_a_language_that_is_not_installed_here_is_done_without() -> None:
    with Glass(*NOBODY, variables={**TOKEN, "LC_ALL": "xx_XX.UTF-8"}) as glass:
        glass.shows("watchkeeper")
        glass.press("q")
        assert glass.ends() == 0


@pytest.mark.parametrize("kind", ["nobody-made-this", ""])
def test_a_kind_of_terminal_that_nobody_knows_is_said_in_a_line(kind: str) -> None:
    with Glass(*NOBODY, columns=140, variables={**TOKEN, "TERM": kind}) as glass:
        glass.shows("try: TERM=xterm watchkeeper top")
        assert glass.ends() == 2
    assert b"Traceback" not in glass.raw
