"""What is answered when a handler fails, or when there is nothing at a path."""

from __future__ import annotations

import re

import pytest

from tests.collector.door import Door


async def test_a_fault_of_ours_is_logged_once_under_the_id_that_is_answered(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await door.get("/fails")
    assert (answer.status, answer.json["code"]) == (500, "internal")
    request_id = answer.json["request_id"]
    assert answer.headers["x-request-id"] == request_id
    assert re.fullmatch(r"[0-9a-f]{16}", request_id)
    assert "drawer" not in answer.body.decode()
    (record,) = caplog.records
    assert record.getMessage() == f"GET '/fails' failed. request_id={request_id}"
    assert "the drawer is empty" in caplog.text
    assert door.count("http_errors_total") == 1


async def test_the_id_a_proxy_gave_is_kept_if_it_is_a_decent_one(door: Door) -> None:
    assert (await door.get("/fails", X_Request_Id="abc-123")).json["request_id"] == "abc-123"
    assert (await door.get("/fails", X_Request_Id='"><script>')).json["request_id"] != '"><script>'


async def test_a_handler_that_forgets_its_answer_is_a_fault_of_ours(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await door.get("/forgets")
    assert (answer.status, answer.json["code"]) == (500, "internal")
    assert "was not answered by its handler" in caplog.text
    await door.still_serves()


async def test_what_is_not_there_is_told_in_json_and_a_page_keeps_its_own_words(door: Door) -> None:
    answer = await door.get("/nothing?secret=1")
    assert (answer.status, answer.json) == (
        404,
        {"code": "not_found", "message": "there is nothing at /nothing"},
    )
    answer = await door.get("/own-words")
    assert (answer.status, answer.body) == (404, b"<h1>No such host</h1>")


async def test_no_answer_tells_which_versions_run_here(door: Door) -> None:
    for path in ("/health", "/nothing", "/fails"):
        assert (await door.get(path)).headers["server"] == "watchkeeper"
