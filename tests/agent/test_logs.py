"""The log in the form that whoever reads it expects."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from agent import logs


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[TextIO]:
    before = logging.root.handlers[:], logging.root.level
    with (tmp_path / "log").open("w+") as stream:
        yield stream
    logging.root.handlers[:], logging.root.level = before


def journal(stream: TextIO) -> dict[str, str]:
    status = os.fstat(stream.fileno())
    return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


def lines(stream: TextIO) -> list[str]:
    log = logging.getLogger("agent.test")
    log.debug("not worth a line")
    log.warning("%d batches", 3)
    try:
        raise ValueError("no\nway")
    except ValueError:
        log.exception("a fault")
    stream.seek(0)
    return stream.read().splitlines()


def test_text_begins_with_the_time_and_the_level(stream: TextIO) -> None:
    logs.set_up("text", {}, stream)
    first, second, *rest = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING 3 batches", first)
    assert second.endswith("ERROR a fault")
    assert rest[-1] == "way"


def test_for_the_journal_each_line_has_its_level(stream: TextIO) -> None:
    logs.set_up("text", journal(stream), stream)
    first, *rest = lines(stream)
    assert first == "<4>3 batches"
    assert len(rest) > 3
    assert all(line.startswith("<3>") for line in rest)


def test_what_ends_us_is_an_error_in_the_journal_and_plain_elsewhere(stream: TextIO) -> None:
    assert logs.complaint("no token", journal(stream), stream) == "<3>no token"
    assert logs.complaint("no token", {}, stream) == "no token"


def test_a_journal_that_is_not_ours_changes_nothing(stream: TextIO) -> None:
    logs.set_up("text", {"JOURNAL_STREAM": "1:2"}, stream)
    assert lines(stream)[0].endswith("WARNING 3 batches")


def test_json_has_one_object_in_each_line(stream: TextIO) -> None:
    logs.set_up("json", journal(stream), stream)
    first, second = map(json.loads, lines(stream))
    assert (first["level"], first["logger"], first["message"]) == ("warning", "agent.test", "3 batches")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["at"])
    assert "ValueError: no\nway" in second["traceback"]
