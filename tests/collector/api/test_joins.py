"""Join codes over the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.collector.api.house import House


async def test_a_code_is_made_listed_and_revoked(house: House) -> None:
    made = await house.do("POST", "/joins", {"labels": {"role": "web"}, "uses": 2, "holds_for": "1h"}, 201)
    about = made["about"]
    assert (about["state"], about["uses"], about["uses_max"], about["host"]) == ("holds", 0, 2, None)
    assert made["code"] in made["by_hand"]
    listed = await house.ask("/joins")
    assert listed["items"] == [about]
    assert made["code"].rpartition("_")[2] not in str(listed)
    await house.do("DELETE", f"/joins/{about['id']}", None, 204)
    assert (await house.ask("/joins"))["items"][0]["state"] == "revoked"
    assert (await house.send("DELETE", f"/api/monitoring/joins/{about['id']}")).status == 404
    assert [row["what"] for row in (await house.ask("/audit"))["items"]] == ["join.revoke", "join.add"]


async def test_the_answer_says_how_to_join_by_hand_where_there_is_nothing_to_install(house: House) -> None:
    made = await house.do("POST", "/joins", {}, 201)
    assert made["command"] is None
    assert "`make bundle` makes it" in made["trouble"]
    assert made["by_hand"].startswith("watchkeeper-agent join http://127.0.0.1:")


async def test_a_code_can_be_for_one_host_that_is_known(house: House) -> None:
    await house.enrol("web-1")
    assert (await house.do("POST", "/joins", {"host": 1}, 201))["about"]["host"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"host": 7}, 404),
        ({"uses": 0}, 400),
        ({"uses": 100_001}, 400),
        ({"holds_for": "2"}, 400),
        ({"holds_for": "1s"}, 422),
        ({"holds_for": "366d"}, 422),
        ({"labels": {"a-b": "c"}}, 400),
        ({"colour": "red"}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(house: House, body: Any, status: int) -> None:
    assert (await house.send("POST", "/api/monitoring/joins", body)).status == status
    assert (await house.ask("/joins"))["items"] == []
