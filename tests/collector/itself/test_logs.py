"""What is logged while a request is being answered names it, so that an answer leads to its lines."""

from __future__ import annotations

import io
import json
import logging

import pytest

from collector.itself.logs import JsonLines, NamesTheRequest, TextLines
from collector.who import BEING_ANSWERED


@pytest.fixture(params=[TextLines, JsonLines])
def written(request: pytest.FixtureRequest) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    handler.addFilter(NamesTheRequest())
    log = logging.Logger("test")
    log.addHandler(handler)
    return log, stream


def test_a_line_names_the_request_once(written: tuple[logging.Logger, io.StringIO]) -> None:
    log, stream = written
    before = BEING_ANSWERED.set("abc-1")
    log.warning("The page %s could not be shown: %s", "host", "100 %")
    log.warning("It failed. request_id=%s", "abc-1")
    BEING_ANSWERED.reset(before)
    log.warning("Nobody asked.")
    first, second, third = stream.getvalue().splitlines()
    assert "The page host could not be shown: 100 % request_id=abc-1" in first
    assert second.count("request_id=abc-1") == 1
    assert "abc-1" not in third
    if first.startswith("{"):
        assert json.loads(first)["request_id"] == "abc-1"
