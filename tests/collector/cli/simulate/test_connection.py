"""A simulated host's connection: kept open, opened again, and never waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from collector.cli.simulate import connection as connections
from collector.cli.simulate.connection import Answer, Connection, NoAnswer, whole_answer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Connect = Callable[[Serve], Awaitable[Connection]]


@pytest.fixture
async def connect() -> AsyncGenerator[Connect, None]:
    """A connection to a server that does as it is told with each client."""
    servers: list[asyncio.Server] = []
    served: set[asyncio.Task[None]] = set()
    made: list[Connection] = []

    async def to(serve: Serve) -> Connection:
        async def until_it_is_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await serve(reader, writer)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(
            lambda *streams: served.add(asyncio.create_task(until_it_is_closed(*streams))), "127.0.0.1", 0
        )
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        made.append(Connection(urlsplit(f"http://127.0.0.1:{port}"), None))
        return made[-1]

    yield to
    for connection in made:
        connection.close()
    for server in servers:
        server.close()
        await server.wait_closed()
    await asyncio.gather(*served, return_exceptions=True)


async def test_one_connection_serves_many_requests(connect: Connect) -> None:
    clients = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal clients
        clients += 1
        while await reader.read(100):
            for byte in OK:  # however it is cut
                writer.write(bytes([byte]))
                await writer.drain()

    connection = await connect(serve)
    assert [await connection.ask(b"x") for _ in range(3)] == [Answer(200, b"ok")] * 3
    assert clients == 1


async def test_a_connection_that_was_closed_is_opened_again(connect: Connect) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(OK)

    connection = await connect(serve)
    for _ in range(3):
        assert (await connection.ask(b"x")).status == 200
        await asyncio.sleep(0.02)  # until the end of it has come


async def test_one_that_is_closed_instead_of_an_answer_is_said(connect: Connect) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)

    connection = await connect(serve)
    with pytest.raises(NoAnswer, match="the connection was closed"):
        await connection.ask(b"x")


async def test_silence_is_not_waited_for_without_end(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(connections, "ANSWER_TIMEOUT_S", 0.05)
    connection = await connect(serve)
    with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
        await connection.ask(b"x")


async def test_nobody_there_is_said() -> None:
    connection = Connection(urlsplit("http://127.0.0.1:1"), None)
    with pytest.raises(NoAnswer, match="no connection"):
        await connection.ask(b"x")


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "an answer that is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "an answer without a length"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * connections.ANSWER_BYTES_MAX,
            "an answer longer than",
        ),
    ],
)
def test_what_no_collector_answers(got: bytes, words: str) -> None:
    with pytest.raises(NoAnswer, match=words):
        whole_answer(got)


@pytest.mark.parametrize("length", range(len(OK)))
def test_a_part_of_an_answer_is_none_yet(length: int) -> None:
    assert whole_answer(OK[:length]) is None
