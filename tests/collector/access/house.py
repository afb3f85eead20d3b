"""A house with a gate: a real store, the real server, and a handler behind each kind of lock."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.access import Access, Terms
from collector.access.roles import Roles
from collector.access.whence import Proxies
from collector.server import Server
from collector.store import Store
from collector.store.people import User
from collector.stores.sqlite import open_store
from collector.who import (
    ASKED_BY,
    ASKED_FROM,
    BEING_ANSWERED,
    FORM_TOKEN,
    LOCAL,
    LOOPBACK,
    Permission,
    Refusal,
    Whence,
    needs,
)

NOW = 1_800_000_000_000
DAY = 86_400_000
HERE = Whence("127.0.0.1", LOOPBACK, is_local=True)
PASSWORD = "correct horse battery"
KEY = hashlib.sha256(b"a key for tests").digest()
ROLES = {"viewer": ["monitoring.read"], "analyst": ["monitoring.read", "monitoring.audit.read"]}


class Told(msgspec.Struct):
    """An answer, as far as tests look at it."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)


class House:
    """`clock` is in milliseconds and moves when a test moves it; `monotonic` follows it."""

    def __init__(self, store: Store, terms: Terms, proxies: list[str]) -> None:
        self.clock = NOW
        self.busy = False
        self.store = store
        self.registry = CollectorRegistry()
        self.access = Access(
            store.people,
            KEY,
            Roles(ROLES),
            terms,
            now_ms=lambda: self.clock,
            monotonic=lambda: self.clock / 1000,
            registry=self.registry,
        )
        app = web.Application()
        app.add_routes(
            [
                web.get("/open", needs(None, _who)),
                web.post("/open", needs(None, _who)),
                web.get("/id", needs(None, _id)),
                web.post("/login", needs(None, self._log_in)),
                web.post("/bob", needs("monitoring.users.manage", self._make_bob_an_analyst)),
                web.get("/page", needs("monitoring.read", _who)),
                web.post("/page", needs("monitoring.write", _who)),
                web.get("/api/thing", needs("monitoring.read", _who)),
                web.post("/api/thing", needs("monitoring.write", _who)),
                web.get("/api/audit", needs("monitoring.audit.read", _who)),
                web.get("/api/undeclared", _who),
                web.post("/api/agent/v1/batches", _who),
            ]
        )
        self.access.guard(
            app, trusted_proxies=Proxies(proxies), busy=lambda: self.busy, show_trouble=_trouble
        )
        self._server = Server(app, "127.0.0.1", 0, registry=self.registry)

    async def start(self) -> None:
        await self._server.start()
        self.url = f"http://127.0.0.1:{self._server.addresses[0][1]}"
        self.origin = self.url
        self._client = aiohttp.ClientSession(self.url, cookie_jar=aiohttp.DummyCookieJar())

    async def stop(self) -> None:
        await self._client.close()
        await self._server.stop()
        await self.access.close()

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Told:
        """Header names are given with _ for -; `body` is a form."""
        data = headers.pop("body", None)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            named.setdefault("Content-Type", "application/x-www-form-urlencoded")
        async with self._client.request(
            method, path, headers=named, data=data, allow_redirects=False
        ) as answer:
            return Told(answer.status, answer.headers.copy(), await answer.text())

    async def post(self, path: str, **headers: str) -> Told:
        return await self.ask(path, "POST", **headers)

    async def log_in(self, name: str, password: str, **headers: str) -> Told:
        return await self.post("/login", body=urlencode({"name": name, "password": password}), **headers)

    async def _log_in(self, request: web.Request) -> web.Response:
        form, answer = await request.post(), web.Response()
        try:
            await self.access.own.log_in(request, answer, str(form["name"]), str(form["password"]))
        except Refusal as refusal:
            return web.Response(status=refusal.status, text=str(refusal))
        return answer

    async def _make_bob_an_analyst(self, request: web.Request) -> web.Response:
        await self.access.desk.set_role(request[ASKED_BY], "bob", "analyst")
        return web.Response()

    async def status_by_http_1_0(self, path: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.addresses[0][1])
        writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        return int(line.split()[1])

    # --- people ---

    async def user(self, name: str = "ada", role: str = "owner") -> User:
        hashed = await self.access.passwords.hash(PASSWORD)
        return await self.store.people.add_user(name, role, hashed, self.clock)

    async def cookie(self, user: User) -> str:
        """A Cookie header of a new session."""
        number, _ = await self.access.sessions.begin(user, HERE, "Firefox")
        return f"watchkeeper={number}"

    async def form_token(self, cookie: str) -> str:
        return (await self.ask("/open", Cookie=cookie)).headers["Form-Token"]

    async def bearer(self, user: User) -> str:
        """An Authorization header of a program that acts for a user."""
        return f"Bearer {(await self.access.grants.begin(user)).access_token}"

    async def api_token(self, *permissions: Permission, name: str = "ci", **more: Any) -> str:
        text, _ = await self.access.desk.add_api_token(LOCAL, name, permissions, **more)
        return f"Bearer {text}"


async def _who(request: web.Request) -> web.Response:
    who, whence = request[ASKED_BY], request[ASKED_FROM]
    return web.Response(
        text=f"{who.kind} {who.name}",
        headers={"Form-Token": request[FORM_TOKEN], "Whence": f"{whence.address} {whence.is_secure}"},
    )


async def _id(request: web.Request) -> web.Response:
    return web.Response(text=BEING_ANSWERED.get())


def _trouble(request: web.Request, status: int, title: str, sentence: str, /) -> web.Response:
    return web.Response(status=status, text=f"{title}: {sentence}")


@contextlib.asynccontextmanager
async def open_house(
    folder: Path, *, terms: Terms | None = None, proxies: tuple[str, ...] = ()
) -> AsyncIterator[House]:
    store = await open_store(folder, role="collector")
    house = House(store, terms or Terms(), list(proxies))
    await house.start()
    try:
        yield house
    finally:
        await house.stop()
        await store.close()
