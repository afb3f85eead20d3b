"""A whole collector in this process, with the config that a test writes, on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from collector.app import Collector
from collector.config import load
from collector.itself.service import Service


class Answer(msgspec.Struct):
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)


class Whole:
    """`store` is the collector's own; `state` is the folder it lies in."""

    def __init__(self, collector: Collector, state: Path, client: aiohttp.ClientSession) -> None:
        self.collector, self.store, self.state, self._client = collector, collector.store, state, client
        self.parts = collector._parts

    @property
    def app(self) -> web.Application:
        return self.parts.server._runner.app

    @property
    def local_token(self) -> str:
        return (self.state / "local.token").read_text().strip()

    async def ask(
        self, path: str, method: str = "GET", form: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        """Header names are given with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._client.request(
            method, path, headers=named, data=form, allow_redirects=False
        ) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.text())

    async def ask_as_it_stands(self, path: str) -> str:
        """The whole answer to a path that clients would put right before they send it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.parts.server.addresses[0][1])
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.decode()

    async def post_json(self, path: str, body: object, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._client.post(path, headers=named, json=body) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.text())

    async def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        return await self.ask(path, "POST", form or {}, **headers)


@contextlib.asynccontextmanager
async def whole_collector(
    folder: Path, config: str = "", *, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Whole]:
    """`config` is what stands in the section `collector:` besides the folders and the port; with `trust` it is asked by
    TLS. It has nothing to install, whatever `make bundle` has made here, until a test puts it into `bundles`."""
    file, state = folder / "collector.yaml", folder / "state"
    file.write_text(f"collector:\n  listen: 127.0.0.1:0\n  state: {state}\n{config}\n  bundles: bundles\n")
    collector = Collector(lambda: load(file, {}), Service({}))
    await collector.start()
    port = collector._parts.server.addresses[0][1]
    url, jar = f"{'https' if trust else 'http'}://127.0.0.1:{port}", aiohttp.DummyCookieJar()
    connector = aiohttp.TCPConnector(ssl=trust or True)
    try:
        async with aiohttp.ClientSession(url, cookie_jar=jar, connector=connector) as client:
            yield Whole(collector, state, client)
    finally:
        await collector.stop()
