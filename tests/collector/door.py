"""A real door for tests: server, tokens and ingest on a free port, and behind it a list that keeps what arrives.

`python -m tests.collector.door` runs one in a process of its own (on uvloop), so that its memory can be measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import uvloop
from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from agent import wire
from collector.api.health import Health
from collector.auth import Tokens, new_token
from collector.ingest import Ingest
from collector.server import Limits, Server
from collector.store import StoreError, TokenRow
from rules.model import Arrival, Host

NOW = 1_800_000_000_000
SPOOL = "0123456789abcdef" * 2


class MemoryHosts:
    """Enrolled hosts and their tokens, in memory."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.rows: dict[str, TokenRow] = {}
        self.asked: list[str] = []
        self.asked_together: list[int] = []
        self.broken: str | None = None

    async def enrol(
        self, name: str, labels: dict[str, str], token_id: str, secret_sha256: bytes, now: int
    ) -> Host:
        host = Host(len(self.hosts) + 1, name, labels, enrolled_at=now)
        self.hosts.append(host)
        await self.add_token(host.id, token_id, secret_sha256, now)
        return host

    async def add_token(self, host: int, token_id: str, secret_sha256: bytes, now: int) -> None:
        self.rows[token_id] = TokenRow(token_id, host, secret_sha256, now)

    async def add_service(self, name: str, now: int) -> Host:
        host = Host(len(self.hosts) + 1, f"service:{name}", {"service": name}, enrolled_at=now)
        self.hosts.append(host)
        return host

    async def token(self, token_id: str) -> TokenRow | None:
        self.asked.append(token_id)
        await asyncio.sleep(0)
        if self.broken:
            raise StoreError(self.broken)
        return self.rows.get(token_id)

    async def tokens(self, token_ids: Sequence[str]) -> list[TokenRow]:
        self.asked_together.append(len(token_ids))
        return [row for token_id in token_ids if (row := await self.token(token_id)) is not None]

    async def revoke(self, token_id: str, now: int) -> bool:
        row = self.rows[token_id]
        self.rows[token_id] = TokenRow(row.id, row.host, row.secret_sha256, row.created_at, now)
        return True

    async def settle(self, token_id: str, now: int) -> None:
        if self.broken:
            raise StoreError(self.broken)
        row = self.rows[token_id]
        if row.replaces is not None:
            await self.revoke(row.replaces, now)
        self.rows[token_id] = replace(row, replaces=None)

    async def all(self) -> list[Host]:
        return self.hosts

    async def enrolled(self, name: str, now: int = NOW) -> wire.Token:
        """A new host's token."""
        token, sha256 = new_token()
        await self.enrol(name, {}, token.id, sha256, now)
        return token


class Answer(Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Door:
    """What a test needs to know of the server it talks to."""

    def __init__(self, hosts: MemoryHosts, token: wire.Token, clock: list[int]) -> None:
        self.hosts, self.token, self.clock = hosts, token, clock
        self.registry = CollectorRegistry()
        self.arrivals: list[Arrival] = []
        self.trouble: str | None = None
        self.hold: asyncio.Event | None = None
        self.ingest: Ingest
        self.server: Server
        self.port = 0
        self._seq = 0

    async def take(self, arrivals: list[Arrival]) -> list[wire.Result]:
        if self.hold is not None:
            await self.hold.wait()
        if self.trouble is not None:
            raise StoreError(self.trouble)
        self.arrivals += arrivals
        return ["ok"] * len(arrivals)

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"watchkeeper_{name}", labels) or 0.0

    def batch(self, samples: Mapping[str, float | None] | None = None, **fields: Any) -> dict[str, Any]:
        """A batch as JSON would have it, sampled and sent just now."""
        self._seq += 1
        default = {"seq": self._seq, "at": self.clock[0] - 20, "sent": self.clock[0], "every_ms": 10_000}
        return {**default, "samples": {"cpu_used_pct": 12.5} if samples is None else samples, **fields}

    def push_of(self, *batches: dict[str, Any], **fields: Any) -> bytes:
        push = {"v": 1, "spool": SPOOL, "boot_id": "b", "batches": list(batches) or [self.batch()], **fields}
        return json.dumps(push).encode()

    def request(
        self, body: bytes, token: str | None = None, length: int | None = None, **headers: str
    ) -> bytes:
        """A whole request. Header names are given with _ for -."""
        lines = [
            f"POST {wire.PATH} HTTP/1.1",
            "Host: door",
            f"Authorization: Bearer {self.token if token is None else token}",
            f"Content-Length: {len(body) if length is None else length}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def post(self, body: bytes, token: str | None = None, **headers: str) -> Answer:
        return (await self.say(self.request(body, token, **headers)))[0]

    async def push(self, *batches: dict[str, Any], packed: bool = True, **fields: Any) -> Answer:
        body = self.push_of(*batches, **fields)
        if packed:
            return await self.post(gzip.compress(body), Content_Encoding="gzip")
        return await self.post(body)

    async def get(self, path: str, **headers: str) -> Answer:
        lines = [
            f"GET {path} HTTP/1.1",
            *(f"{n.replace('_', '-')}: {v}" for n, v in {"Host": "localhost", **headers}.items()),
        ]
        return (await self.say("\r\n".join(lines).encode() + b"\r\n\r\n"))[0]

    async def say(self, data: bytes, answers: int = 1) -> list[Answer]:
        """Send these bytes on a connection of their own and read so many answers."""
        async with self.connection() as (reader, writer):
            writer.write(data)
            return [await read_answer(reader) for _ in range(answers)]

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def still_serves(self) -> None:
        """A push of an ordinary agent gets through, whatever else goes on."""
        before = len(self.arrivals)
        async with asyncio.timeout(2):
            answer = await self.push()
        assert answer.status == 200, answer
        assert answer.json == {"results": ["ok"]}
        assert len(self.arrivals) == before + 1


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Answer(int(head[0].split()[1]), headers, body)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What else comes until the far side closes the connection."""
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@contextlib.asynccontextmanager
async def open_door(
    limits: Limits | None = None,
    routes: list[web.RouteDef] | None = None,
    *,
    tls: Any = None,
    **ingest: Any,
) -> AsyncIterator[Door]:
    """A door with one enrolled host (its id is 1), `routes` beside the usual ones, and its clock at NOW."""
    hosts, clock = MemoryHosts(), [NOW]
    door = Door(hosts, await hosts.enrolled("web-1"), clock)

    def now_ms() -> int:
        return clock[0]

    tokens = Tokens(hosts, now_ms)
    door.ingest = Ingest(tokens, door.take, now_ms=now_ms, registry=door.registry, **ingest)
    app = web.Application()
    app.add_routes([*door.ingest.routes(), *(routes or [])])
    server = Server(
        app,
        "127.0.0.1",
        0,
        registry=door.registry,
        limits=limits,
        tls=tls,
        short_cuts=door.ingest.routes(),
    )
    health = Health([door.ingest.health, server.health], door.registry)
    app.add_routes(health.routes())
    await server.start()
    door.server, door.port = server, server.addresses[0][1]
    try:
        yield door
    finally:
        await server.stop()
        await tokens.close()


def gzip_bomb(mebibytes: int) -> bytes:
    """That many MiB of zeros in about a thousandth of the size, made from one block that repeats."""
    zeros = bytes(1 << 20)
    packer = zlib.compressobj(9, wbits=-15)
    packer.compress(zeros)
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.flush(zlib.Z_FINISH)
    crc = 0
    for _ in range(mebibytes):
        crc = zlib.crc32(zeros, crc)
    size = (mebibytes << 20) & 0xFFFF_FFFF
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return head + block * mebibytes + last + crc.to_bytes(4, "little") + size.to_bytes(4, "little")


async def main() -> None:
    """Say port and tokens on one line, serve until standard input ends."""
    limits = Limits(head_timeout_s=2, body_timeout_s=2, connections_max=500)
    async with open_door(limits) as door:
        other = await door.hosts.enrolled("web-2")
        print(json.dumps({"port": door.port, "attacker": str(door.token), "other": str(other)}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line == "forget\n":
                door.arrivals.clear()
                print("forgotten", flush=True)


if __name__ == "__main__":
    uvloop.run(main())
