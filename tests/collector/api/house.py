"""A whole collector in this process, asked over real HTTP: real store, real judge, real agents' pushes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from agent.wire import Token
from collector import config as settings
from collector.app import Collector
from collector.app.parts import Parts
from collector.auth import new_token
from collector.itself.service import Service
from collector.who import ASKED_BY, LOCAL, Handler

RULES = """
rules:
  - {name: cpu-now, metric: cpu_used_pct, above: {warning: 90, critical: 99}, summary: "{{host}} is busy"}
"""


@web.middleware
async def everybody_is_local(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the gate says of whoever sits at this machine, for tests of a few doors without one."""
    request[ASKED_BY] = LOCAL
    return await handler(request)


class Said:
    """An answer: its status, headers and JSON."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:500]!r}"


class Agent:
    """A host that is enrolled, and pushes when a test wants it to."""

    def __init__(self, house: House, number: int, token: Token) -> None:
        self._house, self.id, self._token, self._seq = house, number, token, 0

    async def push(
        self,
        samples: Mapping[str, float | None],
        *,
        checks: Sequence[Mapping[str, Any]] = (),
        ago_s: float = 0,
        evidence: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Any:
        """One batch, sampled so long ago, and what was asked for; what the collector answered."""
        self._seq += 1
        sent = time.time_ns() // 1_000_000
        batch = {
            "seq": self._seq,
            "at": sent - round(ago_s * 1000) - 1,
            "sent": sent,
            "every_ms": 10_000,
            "samples": dict(samples),
            "checks": list(checks),
            **fields,
        }
        push: dict[str, Any] = {
            "v": 1, "spool": f"{self.id:032x}", "boot_id": "b", "batches": [batch], "definitions": "",
        }  # fmt: skip
        if evidence is not None:
            push["evidence"] = evidence
        said = await self._house.send(
            "POST", "/api/agent/v1/batches", push, {"Authorization": f"Bearer {self._token}"}
        )
        assert said.status == 200, said
        assert said.json["results"] == ["ok"]
        return said.json


class House:
    """`async with House(folder) as house`."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.folder = folder
        (folder / "rules.d").mkdir(exist_ok=True)
        (folder / "rules.d" / "own.yaml").write_text(RULES)
        self.file = folder / "collector.yaml"
        self.file.write_text(
            f"collector:\n  listen: 127.0.0.1:0\n  state: state\n{config}\n  bundles: bundles\n"
        )
        self.environ: dict[str, str] = {}
        self.collector: Collector

    async def __aenter__(self) -> House:
        self.collector = Collector(lambda: settings.load(self.file, self.environ), Service(os.environ))
        await self.collector.start()
        self.parts.kept.fleet_age_s = 0.0  # what a test pushed it wants to see
        host, port = self.parts.server.addresses[0]
        self.client = aiohttp.ClientSession(f"http://{host}:{port}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()
        await self.collector.stop()

    @property
    def parts(self) -> Parts:
        return self.collector._parts

    async def enrol(self, name: str, *, ago_s: int = 0, **labels: str) -> Agent:
        token, sha256 = new_token()
        at = time.time_ns() // 1_000_000 - ago_s * 1_000
        host = await self.parts.store.hosts.enrol(name, labels, token.id, sha256, at)
        self.parts.kept.clear()
        return Agent(self, host.id, token)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Said:
        return await self.send("GET", f"/api/monitoring{path}", None, headers)

    async def ask(self, path: str) -> Any:
        """The JSON of an answer that has to be well."""
        said = await self.get(path)
        assert said.status == 200, said
        return said.json

    async def do(self, method: str, path: str, body: object, status: int = 200) -> Any:
        """The same of what changes something; of an answer with no body, None."""
        said = await self.send(method, f"/api/monitoring{path}", body)
        assert said.status == status, said
        return said.json if said.body else None

    async def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Said:
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if body is not None else {}
        async with self.client.request(
            method, path, data=sent, headers={**kind, **(headers or {})}
        ) as answer:
            return Said(answer.status, answer.headers, await answer.read())
