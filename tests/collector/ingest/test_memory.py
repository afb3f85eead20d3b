"""What attacks cost in memory: a server of its own, and all of them in turn."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from agent import wire
from collector.auth import new_token
from tests.collector.door import NOW, Door, MemoryHosts, gzip_bomb, read_answer


class Measured:
    """A door in another process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, attacker: str, other: str) -> None:
        self.process = process
        self.door = Door(MemoryHosts(), wire.parse_token(attacker), [NOW])
        self.door.port = port
        self._other = other

    def memory_bytes(self, which: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(which))
        return int(line.split()[1]) * 1024

    async def forget(self) -> None:
        """Let go of what arrived: it is the test's, not the server's."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"forget\n")
        assert await self.process.stdout.readline() == b"forgotten\n"

    async def push(self) -> None:
        """What an ordinary host sends meanwhile."""
        answer = await self.door.post(self.door.push_of(), token=self._other)
        assert answer.json == {"results": ["ok"]}, answer


@contextlib.asynccontextmanager
async def measured() -> AsyncIterator[Measured]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.collector.door"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            said = json.loads(await process.stdout.readline())
        yield Measured(process, **said)
    finally:
        process.stdin.close()
        await process.wait()


async def largest_push(server: Measured) -> None:
    samples = {f"warm_{number}": 1.0 for number in range(2_000)}
    batch = server.door.batch(samples)
    body = server.door.push_of(*([batch] * 80))
    await server.door.post(gzip.compress(body, 1), Content_Encoding="gzip")


async def bombs(server: Measured) -> None:
    bomb = gzip_bomb(1_024)
    for _ in range(3):
        assert (await server.door.post(bomb, Content_Encoding="gzip")).status == 413
        await server.push()


async def bodies_of_100_mb(server: Measured) -> None:
    request = server.door.request(b"", length=100_000_000)
    for _ in range(3):
        async with server.door.connection() as (reader, writer):
            writer.write(request)
            answer = asyncio.create_task(read_answer(reader))
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    writer.write(bytes(1_000_000))
                    await writer.drain()
            assert (await answer).status == 413
        await server.push()


async def drips(server: Measured) -> None:
    """Two hundred bodies at once that never end, of a host that is known and of nobody."""
    async with contextlib.AsyncExitStack() as stack:
        for number in range(200):
            reader, writer = await stack.enter_async_context(server.door.connection())
            token = None if number % 2 else str(new_token()[0])
            writer.write(server.door.request(b" " * 100_000, token=token, length=4_000_000))
            del reader
        await server.push()


async def heads(server: Measured) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            _, writer = await stack.enter_async_context(server.door.connection())
            writer.write(b"POST / HTTP/1.1\r\n" + b"X: " + b"y" * 7_000)
        await server.push()


async def new_names(server: Measured) -> None:
    """A host that is never at a loss for another series."""
    for round_ in range(20):
        batches = [server.door.batch({f"s_{round_}_{b}_{n}": 1.0 for n in range(1_000)}) for b in range(10)]
        body = gzip.compress(server.door.push_of(*batches), 1)
        assert (await server.door.post(body, Content_Encoding="gzip")).status == 200
    await server.push()


async def guesses(server: Measured) -> None:
    body = server.door.push_of()
    async with server.door.connection() as (reader, writer):
        for _ in range(2_000):
            writer.write(server.door.request(body, token=str(new_token()[0])))
            assert (await read_answer(reader)).status == 401
    await server.push()


ATTACKS: list[Callable[[Measured], Awaitable[None]]] = [
    bombs,
    bodies_of_100_mb,
    drips,
    heads,
    new_names,
    guesses,
]


async def test_attacks_leave_memory_as_it_was() -> None:
    async with measured() as server:
        await largest_push(server)
        for _ in range(50):
            await server.push()
        await server.forget()
        before = server.memory_bytes("VmRSS")
        grown = {}
        for attack in ATTACKS:
            await attack(server)
            await server.forget()
            grown[attack.__name__] = (server.memory_bytes("VmRSS") - before) >> 20
        peak = (server.memory_bytes("VmHWM") - before) >> 20
        print(f"before: {before >> 20} MiB, then MiB more: {grown}, at most {peak}")
        assert max(grown.values()) < 24, grown
        assert peak < 48
