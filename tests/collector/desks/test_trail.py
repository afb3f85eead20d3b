"""What is changed and that it was changed are kept together, or neither is."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.collector.whole import Whole, whole_collector

BASE = "/api/monitoring"
FULL = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no more rows'); END"
SILENCE = {"where": {"role": "db"}, "for": "1h"}
ADA = {"name": "ada", "role": "owner", "password": "correct horse battery"}
HOST = {"name": "db-1", "labels": {"role": "db"}}
SERVICE = {"name": "shop", "hosts": {"where": {"role": "db"}}, "objective_pct": 99.0}
TOKEN = {"name": "robot", "permissions": ["monitoring.read"]}


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path) as whole:
        yield whole


async def send(whole: Whole, method: str, path: str, body: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {whole.local_token}"}
    async with whole._client.request(method, BASE + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else None


def in_its_file(whole: Whole, statement: str) -> None:
    with closing(sqlite3.connect(whole.state / "watchkeeper.db")) as connection:
        connection.execute(statement)


KEPT = (
    *(
        "silences",
        "maintenance",
        "users",
        "api_tokens",
        "tokens",
        "joins",
        "monitoring_config",
        "promises",
        "audit",
    ),
    "hosts WHERE name NOT LIKE 'service:%'",
)


def kept(whole: Whole) -> list[Any]:
    """All that the store holds of what these requests are about."""
    with closing(sqlite3.connect(whole.state / "watchkeeper.db")) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in KEPT]


def path_of(answers: list[Any]) -> str:
    """The number or name of what was made first."""
    made = answers[0]
    return str(made.get("id") or made.get("about", {}).get("id") or made.get("name"))


Step = tuple[str, str | Callable[[list[Any]], str], Any]


@pytest.mark.parametrize(
    ("before", "step", "what"),
    [
        ([], ("POST", "/silences", SILENCE), "silence.add"),
        ([("POST", "/silences", SILENCE)], ("DELETE", lambda made: f"/silences/{path_of(made)}", None), "silence.end"),
        ([], ("POST", "/users", ADA), "user.add"),
        ([("POST", "/users", ADA)], ("PATCH", "/users/ada", {"email": "ada@example.org"}), "user.email"),
        ([], ("POST", "/tokens", TOKEN), "token.add"),
        ([("POST", "/tokens", TOKEN)], ("DELETE", lambda made: f"/tokens/{path_of(made)}", None), "token.revoke"),
        ([], ("POST", "/hosts", HOST), "host.add"),
        (
            [("POST", "/hosts", HOST)],
            ("PATCH", "/hosts/1", {"name": "db-2", "labels": {"site": "oslo"}}),
            "host.change",
        ),
        ([("POST", "/hosts", HOST)], ("POST", "/hosts/1/revoke", None), "host.revoke"),
        ([("POST", "/hosts", HOST)], ("DELETE", "/hosts/1", None), "host.remove"),
        ([], ("POST", "/joins", {"holds_for": "1h"}), "join.add"),
        ([], ("PUT", "/services/shop", SERVICE), "service.put"),
        ([("PUT", "/services/shop", SERVICE)], ("DELETE", "/services/shop", None), "service.remove"),
        ([], ("PUT", "/config", {"thresholds.cpu_warning_pct": 70}), "config.update"),
    ],
)  # fmt: skip
async def test_a_change_whose_row_cannot_be_written_is_not_made_and_one_that_is_made_has_one(
    whole: Whole, before: list[Step], step: Step, what: str
) -> None:
    made = []
    for method, path, body in before:
        assert isinstance(path, str)
        status, answer = await send(whole, method, path, body)
        assert status < 300, answer
        made.append(answer)
    method, path, body = step
    whole_path = path if isinstance(path, str) else path(made)
    in_its_file(whole, FULL)
    untouched = kept(whole)
    status, answer = await send(whole, method, whole_path, body)
    assert status in (409, 422), answer
    assert kept(whole) == untouched
    in_its_file(whole, "DROP TRIGGER full")
    rows = len(await whole.parts.access.audit.rows(50))
    status, answer = await send(whole, method, whole_path, body)
    assert status < 300, answer
    after = await whole.parts.access.audit.rows(50)
    assert (len(after) - rows, after[0].what, after[0].who, after[0].address) == (
        1,
        what,
        "local",
        "127.0.0.1",
    )
    assert after[0].request_id
