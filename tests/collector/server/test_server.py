"""The server over real sockets: limits, deadlines, what it answers to what is no HTTP, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.server import Limits, Server, ServerError, listening
from collector.server.gate import Gate
from collector.who import LOOPBACK, network_of
from tests.collector.door import Door, closed, open_door, read_answer
from tests.waiting import until_it_is

LARGE = 50_000_000
QUICK = Limits(head_timeout_s=0.3, body_timeout_s=0.3, idle_timeout_s=5, linger_s=0.1, stop_timeout_s=1)


async def large(request: web.Request) -> web.Response:
    return web.Response(body=bytes(LARGE))


async def fails(request: web.Request) -> web.Response:
    raise LookupError("the drawer is empty")


async def forgets(request: web.Request) -> web.Response:
    return None  # type: ignore[return-value]


async def reads(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def own_words(request: web.Request) -> web.Response:
    raise web.HTTPNotFound(text="<h1>No such host</h1>", content_type="text/html")


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(0.3)
    return web.Response(text="done")


async def stuck(request: web.Request) -> web.Response:
    await asyncio.sleep(3_600)
    return web.Response()


async def in_pieces(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": str(LARGE // 100 * 100)})
    await answer.prepare(request)
    for _ in range(100):
        await answer.write(b"x" * (LARGE // 100))
    return answer


ROUTES = [
    web.get("/large", large),
    web.get("/in-pieces", in_pieces),
    web.get("/fails", fails),
    web.get("/forgets", forgets),
    web.post("/reads", reads),
    web.get("/own-words", own_words),
    web.get("/slow", slow),
    web.get("/stuck", stuck),
]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door(QUICK, ROUTES) as door:
        yield door


async def until(door: Door, name: str, value: float, **labels: str) -> None:
    """Wait for a metric, as what is counted is counted after the answer left."""
    await until_it_is(lambda: door.count(name, **labels) == value, 5)


# --- deadlines --------------------------------------------------------------------------------------------------------


async def test_a_head_that_drips_is_cut_while_others_are_served(door: Door) -> None:
    async with door.connection() as (reader, writer):
        answer = asyncio.create_task(read_answer(reader))
        for byte in b"GET /health HTTP/1.1\r\nHost: door\r\nX-Slow: " + b"z" * 20_000:
            writer.write(bytes([byte]))
            await door.still_serves()
            if answer.done():
                break
        assert (answer.result().status, answer.result().json["code"]) == (408, "head_too_slow")
        assert await closed(reader) == b""
    assert door.count("http_cut_total", why="head") == 1


async def test_the_second_head_on_a_connection_has_the_same_deadline(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(door.request(door.push_of()))
        assert (await read_answer(reader)).status == 200
        writer.write(b"GET / HT")
        assert (await read_answer(reader)).status == 408
        assert await closed(reader) == b""


async def test_who_connects_and_says_nothing_is_let_go_without_a_word(door: Door) -> None:
    async with door.connection() as (reader, _):
        assert await closed(reader) == b""
    await until(door, "http_connections", 0)
    assert door.count("http_cut_total", why="head") == 0


async def test_a_body_that_drips_into_any_handler_is_cut(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"POST /reads HTTP/1.1\r\nHost: door\r\nContent-Length: 9\r\n\r\n1")
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (408, "body_too_slow")
        assert await closed(reader) == b""
    assert door.count("http_cut_total", why="body") == 1
    assert caplog.records == []


async def test_a_slow_handler_is_not_taken_for_a_slow_peer(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        assert (await read_answer(reader)).body == b"done"
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        assert (await read_answer(reader)).body == b"done"


async def test_an_idle_connection_is_kept_for_as_long_as_agreed_and_closed_then() -> None:
    async with (
        open_door(Limits(head_timeout_s=0.1, idle_timeout_s=0.5)) as door,
        door.connection() as (reader, writer),
    ):
        for _ in range(2):
            writer.write(door.request(door.push_of()))
            assert (await read_answer(reader)).status == 200
            await asyncio.sleep(0.3)
        begun = asyncio.get_running_loop().time()
        assert await closed(reader) == b""
        assert 0.05 < asyncio.get_running_loop().time() - begun < 1.5


async def test_an_answer_that_is_not_taken_is_given_up() -> None:
    async with open_door(Limits(stall_timeout_s=0.3), ROUTES) as door, door.connection() as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: door\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(door, "http_cut_total", 1, why="stall")
        await until(door, "http_connections", 0)
        await door.still_serves()
        del reader


async def test_an_answer_that_is_taken_slowly_is_sent_to_its_end() -> None:
    async with open_door(Limits(stall_timeout_s=1), ROUTES) as door, door.connection() as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: door\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < LARGE:
            taken += len(await reader.readexactly(min(2_500_000, LARGE - taken)))
            await asyncio.sleep(0.1)
        assert door.count("http_cut_total", why="stall") == 0


# --- what is no HTTP --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), 400),
        (b"\x00" * 100, 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (
            b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
    ids=lambda value: value[:60].decode(errors="replace") if isinstance(value, bytes) else None,
)
async def test_what_is_not_http_is_answered_counted_and_not_logged(
    door: Door, data: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.connection() as (reader, writer):
        writer.write(data)
        answer = await read_answer(reader)
        assert answer.status == status, answer
        assert answer.json["code"] in {"not_http", "head_too_large"}
        await closed(reader)
    await until(door, "http_refused_total", 1, why="not_http")
    assert caplog.records == []
    await door.still_serves()


async def test_a_head_without_end_is_cut_by_its_size() -> None:
    async with open_door(Limits(head_bytes_max=5_000)) as door, door.connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: door\r\n")
        for number in range(20):
            writer.write(f"X-{number}: {'y' * 500}\r\n".encode())
            await asyncio.sleep(0.005)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (431, "head_too_large")
        await door.still_serves()


async def test_garbage_after_a_request_is_refused_and_the_request_was_answered(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(door.request(door.push_of()))
        assert (await read_answer(reader)).json == {"results": ["ok"]}
        writer.write(b"\x00garbage\r\n\r\n")
        assert (await read_answer(reader)).status == 400
        assert await closed(reader) == b""


async def test_garbage_in_one_piece_with_a_request_means_that_nothing_is_taken(door: Door) -> None:
    for data in (door.request(door.push_of()) + b"\x00garbage", door.request(door.push_of(), length=10)):
        async with door.connection() as (reader, writer):
            writer.write(data)
            answer = await read_answer(reader)
            assert (answer.status, answer.json["code"]) == (400, "not_http")
            assert await closed(reader) == b""
        assert door.arrivals == []
    await door.still_serves()


async def test_a_request_as_of_1991_gets_an_answer(door: Door) -> None:
    assert (await door.say(b"GET /\r\n\r\n"))[0].status == 404


async def test_the_answer_reaches_a_peer_that_goes_on_sending() -> None:
    async with open_door(Limits(linger_s=1)) as door, door.connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(50):
            writer.write(b"y" * 1_000)
            await asyncio.sleep(0.002)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (431, "head_too_large")


async def test_requests_that_come_before_they_are_asked_for_are_answered_in_order(door: Door) -> None:
    pushes = [door.request(door.push_of()) for _ in range(100)]
    async with door.connection() as (reader, writer):
        writer.write(b"".join(pushes))
        assert [(await read_answer(reader)).status for _ in pushes] == [200] * 100
    assert [arrival.seq for arrival in door.arrivals] == list(range(1, 101))


async def test_a_late_head_behind_a_request_lets_that_one_be_answered_first(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"GET")
        assert (await read_answer(reader)).body == b"done"
        await closed(reader)


# --- how many may come in ---------------------------------------------------------------------------------------------


async def test_a_connection_too_many_is_told_so_and_there_is_room_again_when_one_goes() -> None:
    async with open_door(Limits(connections_max=5)) as door, contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(door.connection())
        async with door.connection():
            await until_it_is(lambda: door.count("http_connections") >= 5, 5)
            assert door.server.health().state == "degraded"
            answer = await door.push()
            assert (answer.status, answer.json["code"]) == (503, "full")
            assert answer.headers["retry-after"] == "10"
            assert answer.headers["connection"] == "close"
            assert door.count("http_turned_away_total", why="full") == 1
        await until(door, "http_connections", 4)
        await door.still_serves()


async def test_hundreds_too_many_cost_no_more_than_a_few() -> None:
    async with open_door(Limits(connections_max=2)) as door, contextlib.AsyncExitStack() as stack:
        for _ in range(300):
            await stack.enter_async_context(door.connection())
        await until(door, "http_turned_away_total", 298, why="full")
        assert door.server._turning_away <= 64
    await asyncio.sleep(0)


async def test_without_a_free_file_descriptor_who_comes_waits_and_is_served_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_door() as door:
        loop = asyncio.get_running_loop()
        peers = [socket.socket() for _ in range(8)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(peer.fileno() for peer in peers) + 4, hard))
        try:
            for peer in peers:
                peer.setblocking(False)
                await loop.sock_connect(peer, ("127.0.0.1", door.port))
            await until_it_is(lambda: door.count("http_turned_away_total", why="files"), 5)
            await asyncio.sleep(0.5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        (record,) = caplog.records
        assert "Too many open files" in record.getMessage()
        for peer in peers:
            await loop.sock_sendall(peer, b"GET /health HTTP/1.1\r\nHost: door\r\n\r\n")
        for peer in peers[-4:]:
            assert (await loop.sock_recv(peer, 1_000)).startswith(b"HTTP/1.1 200")
        for peer in peers:
            peer.close()


def test_one_network_may_not_take_all_places_and_loopback_may() -> None:
    gate = Gate(Limits(connections_max=10), CollectorRegistry())
    assert [gate.enter("192.0.2.1") for _ in range(6)] == [True] * 5 + [False]
    assert gate.enter("192.0.2.2")
    assert [gate.enter(LOOPBACK) for _ in range(5)] == [True] * 4 + [False]
    for _ in range(5):
        gate.leave("192.0.2.1")
    assert gate.open == 5
    assert gate.enter("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.8.8.8", LOOPBACK),
        ("::1", LOOPBACK),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("", LOOPBACK),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_low_limit_of_open_files_lowers_the_number_of_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = [1_024, 2_048]
    monkeypatch.setattr(listening.resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(listening.resource, "setrlimit", lambda _, pair: limits.__setitem__(0, pair[0]))
    assert listening.room_for(500) == 500
    assert limits[0] == 1_024
    assert listening.room_for(1_500) == 1_500
    assert limits[0] == 1_756
    assert caplog.records == []
    assert listening.room_for(10_000) == 2_048 - 256
    assert "LimitNOFILE" in caplog.text


# --- errors -----------------------------------------------------------------------------------------------------------


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


# --- starting and ending ----------------------------------------------------------------------------------------------


def server_at(host: str, port: int, limits: Limits | None = None) -> Server:
    return Server(web.Application(), host, port, registry=CollectorRegistry(), limits=limits)


async def test_an_address_that_is_taken_is_told_in_one_sentence() -> None:
    first = server_at("127.0.0.1", 0)
    await first.start()
    port = first.addresses[0][1]
    try:
        with pytest.raises(ServerError) as error:
            await server_at("127.0.0.1", port).start()
    finally:
        await first.stop()
    assert str(error.value) == (
        f"cannot listen on 127.0.0.1:{port}: another program listens there already; stop it, or choose another port"
    )
    again = server_at("127.0.0.1", port)
    await again.start()
    await again.stop()


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "this machine has no such address"), ("no such host", "is no address of this")],
)
async def test_an_address_that_is_not_ours_is_told_in_one_sentence(host: str, why: str) -> None:
    with pytest.raises(ServerError, match=why):
        await server_at(host, 0).start()


async def test_one_port_serves_all_addresses_of_a_name() -> None:
    server = server_at("localhost", 0)
    await server.start()
    assert len({port for _, port in server.addresses}) == 1
    assert server.health().state == "ok"
    await server.stop()
    assert (server.addresses, server.health().state) == ([], "bad")


async def test_ending_lets_what_is_being_answered_end_and_closes_who_is_idle(door: Door) -> None:
    async with door.connection() as (busy, writer), door.connection() as (idle, other):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        other.write(door.request(door.push_of()))
        assert (await read_answer(idle)).status == 200
        stopping = asyncio.create_task(door.server.stop())
        assert (await read_answer(busy)).body == b"done"
        await stopping
        assert await closed(idle) == b""
        with pytest.raises(ConnectionRefusedError):
            await door.get("/health")
    assert door.count("http_connections") == 0


async def test_ending_does_not_wait_for_ever_for_who_is_stuck(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"GET /stuck HTTP/1.1\r\nHost: door\r\n\r\n")
        await asyncio.sleep(0.05)
        begun = asyncio.get_running_loop().time()
        await door.server.stop()
        assert asyncio.get_running_loop().time() - begun < 2
        assert await closed(reader) == b""


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_door(authority: trustme.CA) -> AsyncIterator[Door]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    limits = Limits(head_timeout_s=0.3, connections_max=4, linger_s=0.1, stop_timeout_s=1)
    async with open_door(limits, ROUTES, tls=context) as door:
        yield door


async def test_pushes_come_in_over_tls_beside_a_handshake_that_never_ends(
    tls_door: Door, authority: trustme.CA
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with tls_door.connection() as (silent, _):
        reader, writer = await asyncio.open_connection("localhost", tls_door.port, ssl=trusting)
        writer.write(tls_door.request(tls_door.push_of()))
        assert (await read_answer(reader)).json == {"results": ["ok"]}
        assert tls_door.count("http_connections") == 2
        writer.close()
        await writer.wait_closed()
        assert await closed(silent) == b""
    await until(tls_door, "http_connections", 0)
    assert tls_door.count("http_cut_total", why="tls") == 1


async def test_a_large_answer_comes_over_tls_whole(tls_door: Door, authority: trustme.CA) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    reader, writer = await asyncio.open_connection("localhost", tls_door.port, ssl=trusting)
    async with asyncio.timeout(10):
        writer.write(b"GET /large HTTP/1.1\r\nHost: door\r\n\r\n")
        assert len((await read_answer(reader)).body) == LARGE
        writer.write(b"GET /in-pieces HTTP/1.1\r\nHost: door\r\n\r\n")
        assert len((await read_answer(reader)).body) == LARGE // 100 * 100
    writer.close()
    await writer.wait_closed()


async def test_handshakes_count_as_connections_and_one_too_many_is_closed(tls_door: Door) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(tls_door.connection())
        reader, _ = await stack.enter_async_context(tls_door.connection())
        assert await closed(reader) == b""
        assert tls_door.count("http_turned_away_total", why="full") == 1
    await until(tls_door, "http_connections", 0)
