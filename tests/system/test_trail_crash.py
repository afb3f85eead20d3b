"""The collector dies while many people change things: what was changed stands in the trail, and nothing else does."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter

from tests.system.harness import Collector, Stage
from tests.system.programs import wait_until

ROUNDS, AT_ONCE = 5, 8
BASE = "/api/monitoring"
MADE = {
    "silence.add": "SELECT id FROM silences",
    "host.add": "SELECT name FROM hosts WHERE name NOT LIKE 'service:%'",
    "token.add": "SELECT id FROM api_tokens",
    "token.revoke": "SELECT id FROM api_tokens WHERE revoked_at IS NOT NULL",
    "incident.open": "SELECT id FROM incidents WHERE opened_by <> 'watchkeeper'",
    "incident.note": "SELECT text FROM remarks WHERE kind = 'note'",
}
"""What there is one of for each row of that kind in the trail."""
NAMED_BY = {"host.add": "name", "incident.open": "incident", "incident.note": "text"}
"""The field of a row that names what it is about; of others, `id`."""


class Busy:
    """One of those who change things, until the collector does not answer any more."""

    def __init__(self, collector: Collector, number: int) -> None:
        self._port, self._name, self.done = collector.port, f"guest-{number}", 0
        token = (collector.database.parent / "local.token").read_text().strip()
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            while True:
                self._send(connection, "/silences", {"where": {"role": "db"}, "for": "1h"})
                self._send(connection, "/hosts", {"name": f"{self._name}-{self.done}-{time.time_ns()}"})
                token = self._send(connection, "/tokens", {"name": "x", "permissions": ["monitoring.read"]})
                self._send(connection, f"/tokens/{token['about']['id']}", None, "DELETE")
                incident = self._send(connection, "/incidents", {"title": "It smells of smoke"})
                note = {"text": f"{self._name} looks, {time.time_ns()}"}
                self._send(connection, f"/incidents/{incident['id']}/notes", note)
                self.done += 1
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _send(
        self, connection: http.client.HTTPConnection, path: str, body: object, method: str = "POST"
    ) -> dict:
        connection.request(method, BASE + path, json.dumps(body) if body else None, self._headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status < 300, (answer.status, said)
        return json.loads(said) if said else {}


def test_no_change_is_without_its_row_and_no_row_without_its_change_whenever_it_dies(stage: Stage) -> None:
    collector = stage.collector(settings={"access": {"requests_per_s": 10_000, "requests_burst": 100_000}})
    for round_ in range(ROUNDS):
        collector.start()
        busy = [Busy(collector, number) for number in range(AT_ONCE)]
        wait_until("everybody to be at work", lambda busy=busy: all(one.done for one in busy))
        time.sleep(random.uniform(0, 0.3))
        collector.kill()
        for one in busy:
            one.end()
        rows = collector.ask("SELECT what, before, after FROM audit")
        for what, query in MADE.items():
            named = Counter(_named(what, row) for row in rows if row["what"] == what)
            made = Counter(str(row[0]) for row in collector.ask(query))
            assert named == made, f"round {round_}: {what}"


def _named(what: str, row: dict) -> str:
    said = json.loads(row["before"] if what == "token.revoke" else row["after"])
    return str(said[NAMED_BY.get(what, "id")])
