"""What is no push, is too large, or shows no good token: refused with a reason, and counted."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from collector.auth import new_token
from collector.ingest import WHYS
from collector.ingest.body import _gunzip_any, _gunzip_short
from tests.collector.door import NOW, SPOOL, Door, closed, read_answer
from tests.collector.ingest.pushing import refused

# --- what is refused --------------------------------------------------------------------------------------------------


def with_samples(text: str) -> bytes:
    batch = f'{{"seq":1,"at":{NOW},"sent":{NOW},"every_ms":10000,"samples":{text}}}'
    return f'{{"v":1,"spool":"{SPOOL}","boot_id":"b","batches":[{batch}]}}'.encode()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b"\x00\xff" * 50, "not_json"),
        (b'{"v":1,"spool":', "not_json"),
        (b'{"v":1,"more":' + b"[" * 200_000, "not_json"),
        (with_samples('{"\xff":1}').replace(b"\xc3\xbf", b"\xff"), "not_json"),
        (with_samples('{"a":NaN}'), "not_json"),
        (with_samples('{"a":Infinity}'), "not_json"),
        (with_samples('{"a":-Infinity}'), "not_json"),
        (with_samples('{"\\ud800":1}'), "not_json"),
        (with_samples('{"a":1e999}'), "shape"),
        (with_samples('{"a":' + "9" * 400 + "}"), "shape"),
        (with_samples('{"a":"1"}'), "shape"),
        (with_samples('{"a":true}'), "shape"),
        (with_samples("[]"), "shape"),
        (b"[]", "shape"),
        (b"null", "shape"),
        (with_samples("{}").replace(b'"seq":1', b'"seq":-1'), "shape"),
        (with_samples("{}").replace(b'"seq":1', b'"seq":1.5'), "shape"),
        (with_samples("{}").replace(b'"every_ms":10000', b'"every_ms":0'), "shape"),
        (with_samples("{}").replace(SPOOL.encode(), b"../../etc/passwd"), "shape"),
        (b'{"v":1,"spool":"' + SPOOL.encode() + b'","boot_id":"b","batches":[]}', "shape"),
        (b'{"v":2,"something":"new"}', "version"),
        (b'{"v":0}', "version"),
    ],
    ids=lambda value: value.decode(errors="replace")[:40] if isinstance(value, bytes) else value,
)
async def test_what_is_no_push_is_refused_with_a_reason(door: Door, body: bytes, why: str) -> None:
    answer = await refused(door, body, 400, why)
    assert answer.headers["content-type"].startswith("application/json")
    assert 10 < len(answer.json["message"]) <= 300
    await refused(door, gzip.compress(body), 400, why, Content_Encoding="gzip")


async def test_the_answer_is_the_same_whether_the_connection_goes_on_or_ends(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(door.request(door.push_of()))
        goes_on = await read_answer(reader)
        writer.write(door.request(door.push_of(), Connection="close"))
        ends = await read_answer(reader)
        assert await closed(reader) == b""
    assert ends.headers.pop("connection") == "close"
    assert goes_on.status == ends.status == 200
    assert goes_on.body == ends.body
    assert goes_on.headers.keys() == ends.headers.keys()
    assert goes_on.headers["content-type"].partition(";")[0] == ends.headers["content-type"].partition(";")[0]


async def test_a_push_as_of_http_1_0_is_answered_and_the_connection_closed(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(door.request(door.push_of()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert (await read_answer(reader)).status == 200
        assert await closed(reader) == b""


async def test_another_version_is_told_which_is_spoken(door: Door) -> None:
    answer = await refused(door, b'{"v":2}', 400, "version")
    assert answer.json["message"] == "this collector speaks version 1 of the wire; the push is version 2"


async def test_the_place_of_a_mistake_is_named(door: Door) -> None:
    answer = await refused(door, with_samples('{"a":"1"}'), 400, "shape")
    assert "Expected `float | null`, got `str` - at `$.batches[0].samples[...]`" in answer.json["message"]


GOOD = gzip.compress(b'{"v":1}')


@pytest.mark.parametrize(
    "body",
    [
        b"not gzip at all",
        b"",
        GOOD[:10],
        GOOD[:-1],
        GOOD[:-8] + bytes(8),
        GOOD[:12] + b"\xff" + GOOD[13:],
        GOOD + b"more",
        GOOD + GOOD,
    ],
    ids=[
        "text",
        "empty",
        "only a head",
        "cut short",
        "wrong sum",
        "broken inside",
        "more after",
        "two in one",
    ],
)
async def test_broken_gzip_is_refused(door: Door, body: bytes) -> None:
    answer = await refused(door, body, 400, "gzip", Content_Encoding="gzip")
    assert answer.json["message"].startswith("the body says it is gzip")


@given(st.binary(max_size=200), st.integers(0, 8), st.binary(max_size=30))
def test_the_short_way_to_unpack_takes_only_what_the_long_one_takes(
    text: bytes, cut: int, more: bytes
) -> None:
    packed = gzip.compress(text)
    body = packed[: len(packed) - cut] + more
    short = _gunzip_short(body)
    assert short is None or short == _gunzip_any(body)
    assert _gunzip_short(packed) == text


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x-unheard-of"])
async def test_an_encoding_that_is_not_ours_is_refused_and_told_what_is(door: Door, encoding: str) -> None:
    answer = await refused(door, door.push_of(), 415, "encoding", Content_Encoding=encoding)
    assert answer.headers["accept-encoding"] == "gzip"


async def test_a_body_may_be_as_large_as_the_wire_says_and_no_byte_larger(door: Door) -> None:
    body = door.push_of()
    largest = body + b" " * (wire.BODY_BYTES_MAX - len(body))
    assert (await door.post(largest)).status == 200
    assert (await door.post(gzip.compress(largest, 1), Content_Encoding="gzip")).status == 200
    await refused(door, largest + b" ", 413, "too_large")
    await refused(door, gzip.compress(largest + b" ", 1), 413, "too_large", Content_Encoding="gzip")


@pytest.mark.parametrize(
    ("token", "status", "why"),
    [
        ("", 401, "token_missing"),
        ("wk_user_default_abcdefghijkl_" + "x" * 40, 401, "token_malformed"),
        ("wk_agent_default_abcdefghijkl_" + "x" * 40, 401, "token_wrong"),
        ("wk_agent_default_abcdefghijkl_" + "x" * 4_000, 401, "token_malformed"),
    ],
)
async def test_a_wrong_token_is_refused(door: Door, token: str, status: int, why: str) -> None:
    answer = await door.post(door.push_of(), token=token)
    assert (answer.status, answer.json["code"]) == (status, why)
    assert answer.headers["www-authenticate"] == "bearer"
    assert token == "" or token not in answer.body.decode()
    assert door.count("ingest_refused_total", why=why) == 1
    await door.still_serves()


async def test_no_token_at_all_and_a_revoked_one_are_told_apart(door: Door) -> None:
    request = door.request(door.push_of()).replace(b"Authorization", b"X-Other")
    answer = (await door.say(request))[0]
    assert (answer.status, answer.json["code"]) == (401, "token_missing")
    await door.hosts.revoke(door.token.id, NOW)
    answer = await door.post(door.push_of())
    assert (answer.status, answer.json["code"]) == (403, "token_revoked")


async def test_who_is_not_known_is_not_listened_to(door: Door) -> None:
    """The answer comes before the body does."""
    request = door.request(b"", token=str(new_token()[0]), length=4_000_000)
    answer = (await door.say(request))[0]
    assert (answer.status, answer.json["code"]) == (401, "token_wrong")


async def test_another_method_and_another_path_are_told_what_there_is(door: Door) -> None:
    answer = await door.get(wire.PATH)
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.json["message"] == f"{wire.PATH} answers to POST only"
    answer = await door.get("/api/agent/v9/batches")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


# --- attacks ----------------------------------------------------------------------------------------------------------


async def test_every_reason_is_in_the_metrics_from_the_start(door: Door) -> None:
    assert len(set(WHYS)) == len(WHYS)
    assert all(
        door.registry.get_sample_value("watchkeeper_ingest_refused_total", {"why": why}) == 0 for why in WHYS
    )
