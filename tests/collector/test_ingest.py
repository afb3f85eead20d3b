"""Ingest over real HTTP: what is taken, how it is corrected, what is refused and what attacks cost."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from collector.auth import new_token
from collector.ingest import LATE_MS_MAX, RETRY_AFTER_S, WHYS
from collector.ingest.body import PUSHES_PER_HOST_MAX, _gunzip_any, _gunzip_short
from collector.ingest.layouts import LAYOUTS_PER_HOST, Layouts
from collector.server import Limits
from collector.store import StoreError
from rules.model import Arrival
from tests.collector.door import (
    NOW,
    SPOOL,
    Answer,
    Door,
    MemoryHosts,
    closed,
    gzip_bomb,
    open_door,
    read_answer,
)
from tests.waiting import until_it_is

HOUR_MS = 3_600_000


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door(Limits(linger_s=0.2)) as door:
        yield door


async def arrived(door: Door, *batches: dict[str, Any], **fields: Any) -> Arrival:
    """The last of what arrives of a push that is taken whole."""
    answer = await door.push(*batches, **fields)
    assert answer.json == {"results": ["ok"] * max(1, len(batches))}, answer
    return door.arrivals[-1]


async def refused(door: Door, body: bytes, status: int, why: str, **headers: str) -> Answer:
    """The answer to a push that is refused and counted, and that changes nothing."""
    before, there = door.count("ingest_refused_total", why=why), len(door.arrivals)
    answer = await door.post(body, **headers)
    assert (answer.status, answer.json["code"]) == (status, why), answer
    assert door.count("ingest_refused_total", why=why) == before + 1
    assert len(door.arrivals) == there
    await door.still_serves()
    return answer


# --- what is taken ----------------------------------------------------------------------------------------------------


async def test_a_push_becomes_an_arrival(door: Door) -> None:
    check = {"id": "disk", "kind": "disk", "state": "warn", "ms": 1.5, "detail": "/ is 91 % full"}
    batch = door.batch(
        {'disk_used_pct{mount="/"}': 91.25, "cpu_used_pct": 7, "temperature_c": None},
        seq=41,
        checks=[check],
        facts={"os": "Debian 12"},
        labels={"role": "web"},
    )
    door.clock[0] += 250
    arrival = await arrived(door, batch, floor=40)
    assert (arrival.host, arrival.spool, arrival.seq, arrival.floor) == (1, SPOOL, 41, 40)
    assert (arrival.at, arrival.arrived_at) == (NOW - 20, NOW + 250)
    assert (arrival.skew_ms, arrival.every_ms, arrival.flags) == (250, 10_000, ())
    assert arrival.layout == ("cpu_used_pct", 'disk_used_pct{mount="/"}', "temperature_c")
    assert arrival.values.dtype == np.float64
    assert arrival.values.tolist()[:2] == [7.0, 91.25]
    assert math.isnan(arrival.values[2])
    assert arrival.checks == [wire.CheckState("disk", "disk", "warn", 1.5, "/ is 91 % full")]
    assert (arrival.facts, arrival.labels) == ({"os": "Debian 12"}, {"role": "web"})


async def test_a_batch_that_carries_no_facts_or_labels_says_nothing_about_them(door: Door) -> None:
    arrival = await arrived(door)
    assert (arrival.checks, arrival.facts, arrival.labels) == ([], None, None)


@pytest.mark.parametrize("packed", [True, False])
async def test_a_push_may_be_packed_or_not(door: Door, packed: bool) -> None:
    assert (await door.push(packed=packed)).json == {"results": ["ok"]}
    assert door.count("ingest_pushes_total") == 1
    assert 0 < door.count("ingest_bytes_total") < 300


async def test_a_push_that_comes_in_many_pieces_and_chunks_is_one_push(door: Door) -> None:
    body = door.push_of()
    head = door.request(b"", Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    async with door.connection() as (reader, writer):
        writer.write(head[:50])
        await asyncio.sleep(0.01)
        writer.write(head[50:])
        for start in range(0, len(body), 40):
            piece = body[start : start + 40]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        assert (await read_answer(reader)).json == {"results": ["ok"]}
        writer.write(door.request(door.push_of()))
        assert (await read_answer(reader)).json == {"results": ["ok"]}


async def test_a_push_of_many_batches_is_handed_on_at_once_and_in_order(door: Door) -> None:
    answer = await door.push(*(door.batch(seq=seq) for seq in (9, 3, 7)), floor=2)
    assert answer.json == {"results": ["ok", "ok", "ok"]}
    assert [(arrival.seq, arrival.floor) for arrival in door.arrivals] == [(9, 2), (3, 2), (7, 2)]
    assert door.count("ingest_batches_total") == 3
    assert door.count("ingest_samples_total") == 3


async def test_a_floor_above_a_batch_does_not_give_up_that_batch(door: Door) -> None:
    await door.push(door.batch(seq=5), door.batch(seq=4), floor=2**63)
    assert [arrival.floor for arrival in door.arrivals] == [4, 4]


async def test_the_order_in_which_an_agent_names_its_series_makes_no_difference(door: Door) -> None:
    first = await arrived(door, door.batch({"b": 2, "a": 1, "c": None}))
    second = await arrived(door, door.batch({"c": 3, "a": 1, "b": None}))
    assert first.layout == second.layout == ("a", "b", "c")
    assert first.values.tolist()[:2] == [1, 2]
    assert second.values.tolist()[::2] == [1, 3]


async def test_hosts_with_the_same_series_share_one_layout(door: Door) -> None:
    other = await door.hosts.enrolled("web-2")
    first = await arrived(door, door.batch({"b": 2, "a": 1}))
    await door.post(door.push_of(door.batch({"b": 3, "a": 1})), token=str(other))
    assert door.arrivals[-1].host == 2
    assert door.arrivals[-1].layout is first.layout


class Inquiring:
    """Asks every host for evidence, and keeps what comes."""

    def __init__(self) -> None:
        self.got: list[tuple[int, wire.Evidence, int]] = []
        self.trouble: str | None = None

    def asks(self, host: int) -> list[wire.Ask]:
        return [wire.AskEvidence(17), wire.AskSample()] if host == 1 else []

    async def answered(self, host: int, found: wire.Evidence, arrived_at: int) -> None:
        if self.trouble:
            raise StoreError(self.trouble)
        self.got.append((host, found, arrived_at))


async def test_what_is_to_be_asked_goes_with_the_answer_and_evidence_is_handed_on() -> None:
    inquiries = Inquiring()
    async with open_door(inquiries=inquiries) as door:
        asks = [{"kind": "evidence", "about": 17}, {"kind": "sample"}]
        assert (await door.push()).json == {"results": ["ok"], "asks": asks}
        found = {"about": 17, "at": NOW, "took_ms": 5, "unseen": ["a\u001b[31mb"], "failed_units": []}
        other = {"pid": 1, "name": "x\u0007", "command": "x\ny", "cpu_pct": 1.5, "memory_bytes": 3}
        await door.push(evidence=found | {"by_cpu": [other]})
        [(host, evidence, arrived_at)] = inquiries.got
        assert (host, evidence.about, arrived_at) == (1, 17, NOW)
        assert (evidence.unseen, evidence.failed_units) == (["a\ufffd[31mb"], [])
        assert evidence.by_cpu == [wire.Program(1, "x\ufffd", "x\ufffdy", 1.5, 3)]
        assert len(door.arrivals) == 2


async def test_what_an_agent_saw_of_others_is_handed_on() -> None:
    got: list[tuple[int, list[wire.Looked]]] = []
    async with open_door(looked=lambda host, looked: got.append((host, list(looked)))) as door:
        await door.push()
        assert got == []
        await door.push(looked=[{"about": 7, "reached": True}, {"about": 8, "detail": "no way"}])
        assert got == [(1, [wire.Looked(7, True), wire.Looked(8, None, "no way")])]


@pytest.mark.parametrize(
    ("sent", "has"), [({}, None), ({"definitions": ""}, ""), ({"definitions": "ab"}, "ab")]
)
async def test_which_definitions_an_agent_has_decides_what_it_is_asked(
    sent: dict[str, str], has: str | None
) -> None:
    def defined(host: int, has: str | None) -> list[wire.Ask]:
        heard.append((host, has))
        return [wire.AskDefinitions("cd", [msgspec.Raw(b'{"kind":"icmp"}')])]

    heard: list[tuple[int, str | None]] = []
    async with open_door(inquiries=Inquiring(), defined=defined) as door:
        answer = await door.push(**sent)
    assert heard == [(1, has)]
    ask = {"kind": "definitions", "hash": "cd", "checks": [{"kind": "icmp"}]}
    assert answer.json["asks"] == [{"kind": "evidence", "about": 17}, {"kind": "sample"}, ask]


async def test_evidence_that_cannot_be_kept_puts_the_push_off_before_a_batch_is_taken() -> None:
    inquiries = Inquiring()
    inquiries.trouble = "the disk is full"
    async with open_door(inquiries=inquiries) as door:
        answer = await door.push(evidence={"about": 17, "at": NOW, "took_ms": 5})
        assert (answer.status, answer.json["code"], door.arrivals) == (503, "store", [])


async def test_a_door_that_asks_nothing_passes_evidence_over(door: Door) -> None:
    answer = await door.push(evidence={"about": 17, "at": NOW, "took_ms": 5})
    assert answer.json == {"results": ["ok"]}


async def test_an_agent_that_stops_as_planned_says_how(door: Door) -> None:
    await door.push(door.batch({}, bye="restart"), door.batch())
    word, sample = door.arrivals
    assert (word.flags, word.layout, word.values.size) == (("restart",), (), 0)
    assert sample.flags == ()


async def test_control_characters_in_words_are_replaced_before_anybody_sees_them(door: Door) -> None:
    check = {"id": "a\nb", "kind": "exec\x1b[31m", "state": "bad", "detail": "two\nlines\x00\x7f"}
    arrival = await arrived(door, door.batch(checks=[check], facts={"k\r": "v\x07"}, labels={"l": "x\ny"}))
    assert arrival.checks[0].id == "a�b"
    assert arrival.checks[0].kind == "exec�[31m"
    assert arrival.checks[0].detail == "two\nlines��"
    assert arrival.facts == {"k�": "v�"}
    assert arrival.labels == {"l": "x�y"}


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew_ms", [0, 2_000, -2_000])
async def test_a_difference_that_may_be_travel_is_left_alone(door: Door, skew_ms: int) -> None:
    arrival = await arrived(door, door.batch(at=NOW - skew_ms - 30, sent=NOW - skew_ms))
    assert (arrival.at, arrival.flags) == (NOW - skew_ms - 30, ())


@pytest.mark.parametrize("skew_ms", [2_001, -2_001, 10 * HOUR_MS, -10 * HOUR_MS])
async def test_a_clock_that_is_off_is_corrected_and_flagged(door: Door, skew_ms: int) -> None:
    arrival = await arrived(door, door.batch(at=NOW - skew_ms - 30, sent=NOW - skew_ms))
    assert (arrival.at, arrival.skew_ms, arrival.flags) == (NOW - 30, skew_ms, ("clock",))


async def test_a_board_that_boots_in_1970_loses_nothing(door: Door) -> None:
    arrival = await arrived(door, door.batch(at=5_000, sent=65_000), door.batch(at=15_000, sent=65_000))
    assert [one.at for one in door.arrivals] == [NOW - 60_000, NOW - 50_000]
    assert arrival.flags == ("clock",)


async def test_what_was_spooled_for_days_is_taken_and_what_is_older_is_not(door: Door) -> None:
    old, too_old = NOW - LATE_MS_MAX, NOW - LATE_MS_MAX - 1
    answer = await door.push(door.batch(at=too_old), door.batch(at=old), door.batch(at=NOW))
    assert answer.status == 200
    assert answer.json["results"][1:] == ["ok", "ok"]
    assert "604800 s are taken" in answer.json["results"][0]["refused"]
    assert [arrival.at for arrival in door.arrivals] == [old, NOW]
    assert door.count("ingest_refused_total", why="time") == 1


async def test_a_batch_sampled_after_it_was_sent_is_refused(door: Door) -> None:
    answer = await door.push(door.batch(at=NOW + 2_000), door.batch(at=NOW + 2_001))
    assert answer.json["results"][0] == "ok"
    assert "not of one clock" in answer.json["results"][1]["refused"]
    assert door.count("ingest_refused_total", why="time") == 1


# --- series -----------------------------------------------------------------------------------------------------------


async def test_of_ten_thousand_series_what_one_host_may_have_is_stored_and_the_host_is_flagged(
    door: Door,
) -> None:
    samples = {f"zz_{number:05}": float(number) for number in range(10_000, 0, -1)}
    arrival = await arrived(door, door.batch(samples))
    assert len(arrival.layout) == len(arrival.values) == wire.SERIES_PER_HOST_MAX
    assert dict(zip(arrival.layout, arrival.values.tolist(), strict=True)) == dict(
        list(samples.items())[:2000]
    )
    assert arrival.flags == ("series",)
    assert (await arrived(door, door.batch(samples))).flags == ("series",)
    assert door.count("ingest_samples_total") == 4_000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cpu\x00used", r"'cpu\x00used'"),
        ("cpu\nused", r"'cpu\nused'"),
        ('disk{mount="\x1b[2J"}', r"\x1b[2J"),
        ("", "''"),
        ('disk{b="1",a="2"}', "alphabetical"),
        ("x" * 513, "513 characters"),
        ("cpu used" + "x" * 400, "'cpu used"),
    ],
)
async def test_a_series_whose_name_is_none_is_left_out_and_the_rest_is_taken(
    door: Door, name: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await door.push(door.batch({"a": 1.0, name: 2.0, "b": 3.0}), door.batch({"a": 1.0}))
    assert answer.json["results"] == ["ok", "ok"]
    first, second = door.arrivals
    assert (first.layout, first.values.tolist(), first.flags) == (("a", "b"), [1.0, 3.0], ("names",))
    assert second.flags == ()
    assert (await arrived(door, door.batch({"a": 1.0, name: 2.0}))).flags == ("names",)
    assert door.count("ingest_left_out_total", why="names") == 2
    [said] = [record.getMessage() for record in caplog.records]
    assert shown in said
    assert said.isprintable()


async def test_a_batch_of_nothing_but_such_names_is_a_word_of_its_host(door: Door) -> None:
    arrival = await arrived(door, door.batch({"cpu used": 1.0}))
    assert (arrival.layout, arrival.flags) == ((), ("names",))


names = st.from_regex(wire._METRIC, fullmatch=True).filter(lambda name: len(name) < 100)


@given(st.dictionaries(names, st.floats(allow_nan=False), max_size=20))
def test_a_layout_puts_names_in_one_order_and_every_value_with_its_name(samples: dict[str, float]) -> None:
    layout = Layouts().learn(1, tuple(samples), NOW)
    values = np.array(list(samples.values()), dtype=np.float64)
    ordered = values if layout.order is None else values[layout.order]
    assert list(zip(layout.kept, ordered.tolist(), strict=True)) == sorted(samples.items())


def test_a_host_that_changes_its_list_every_time_keeps_no_more_than_its_last_few() -> None:
    layouts = Layouts()
    for number in range(1_000):
        layouts.learn(1, (f"a_{number}", "b"), NOW)
    assert len(layouts._shared) == LAYOUTS_PER_HOST
    assert layouts.known(1, ("a_999", "b"), NOW) is not None
    assert layouts.known(1, ("a_0", "b"), NOW) is None
    assert layouts.known(2, ("a_999", "b"), NOW) is None


def test_a_host_that_sends_a_few_lists_in_turn_has_each_checked_once() -> None:
    layouts = Layouts()
    lists = [tuple(f"s_{number}_{which}" for number in range(3)) for which in range(LAYOUTS_PER_HOST)]
    learnt = [layouts.learn(1, sent, NOW) for sent in lists]
    for _ in range(3):
        assert [layouts.known(1, sent, NOW) for sent in lists] == learnt


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


# --- what is put off --------------------------------------------------------------------------------------------------


async def test_a_store_that_fails_puts_the_push_off_and_is_seen_in_health(door: Door) -> None:
    assert door.ingest.health().state == "ok"
    door.trouble = "the disk is full"
    answer = await door.push(door.batch(), door.batch())
    assert (answer.status, answer.json["code"]) == (503, "store")
    assert "the disk is full" in answer.json["message"]
    assert RETRY_AFTER_S[0] <= int(answer.headers["retry-after"]) <= RETRY_AFTER_S[1]
    assert door.count("ingest_refused_total", why="store") == 1
    health = door.ingest.health()
    assert (health.state, "the disk is full" in health.detail) == ("degraded", True)
    door.trouble = None
    await door.still_serves()
    assert door.ingest.health().state == "ok"


async def test_agents_that_are_put_off_do_not_all_come_back_at_once(door: Door) -> None:
    door.trouble = "full"
    waits = {(await door.push()).headers["retry-after"] for _ in range(60)}
    assert len(waits) > 3


async def test_one_host_with_too_many_pushes_under_way_waits_and_the_others_do_not() -> None:
    async with open_door() as door:
        door.hold = asyncio.Event()
        under_way = [asyncio.create_task(door.push()) for _ in range(PUSHES_PER_HOST_MAX)]
        await until_it_is(lambda: door.ingest._room._pushes.get(1) == PUSHES_PER_HOST_MAX)
        answer = await door.push()
        assert (answer.status, answer.json["code"]) == (429, "host_busy")
        assert "retry-after" in answer.headers
        other = await door.hosts.enrolled("web-2")
        second = asyncio.create_task(door.post(door.push_of(), token=str(other)))
        door.hold.set()
        assert [(await task).status for task in [*under_way, second]] == [200] * (PUSHES_PER_HOST_MAX + 1)
        assert door.ingest._room._pushes == {}


async def test_what_all_pushes_together_keep_in_memory_is_bounded() -> None:
    async with open_door(bytes_at_work_max=100_000) as door:
        door.hold = asyncio.Event()
        body = door.push_of() + b" " * 40_000
        first = asyncio.create_task(door.post(gzip.compress(body), Content_Encoding="gzip"))
        await until_it_is(lambda: door.count("ingest_bytes_at_work") >= 40_000)
        answer = await door.post(body)
        assert (answer.status, answer.json["code"]) == (503, "busy")
        door.hold.set()
        assert (await first).status == 200
        assert door.count("ingest_bytes_at_work") == 0
        await door.still_serves()


# --- attacks ----------------------------------------------------------------------------------------------------------


async def test_a_gzip_bomb_is_not_unpacked(door: Door) -> None:
    bomb = gzip_bomb(1_024)
    assert len(bomb) < 2_000_000
    begun = time.process_time()
    await refused(door, bomb, 413, "too_large", Content_Encoding="gzip")
    assert time.process_time() - begun < 0.5


async def test_a_body_that_says_it_has_100_mb_is_refused_before_it_comes(door: Door) -> None:
    request = door.request(b"x" * 1_000, length=100_000_000)
    async with door.connection() as (reader, writer):
        writer.write(request)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (413, "too_large")
        assert answer.headers["connection"] == "close"
    await door.still_serves()


async def test_a_body_that_does_not_say_it_has_100_mb_is_cut(door: Door) -> None:
    head = door.request(b"", Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    async with door.connection() as (reader, writer):
        writer.write(head)
        sent = 0
        answer = asyncio.create_task(read_answer(reader))
        with contextlib.suppress(ConnectionError):
            while sent < 100 and not answer.done():
                writer.write(chunk)
                await writer.drain()
                sent += 1
        assert (await answer).json["code"] == "too_large"
    await door.still_serves()


async def test_a_body_that_drips_is_cut_while_others_are_served() -> None:
    async with open_door(Limits(body_timeout_s=0.3)) as door:
        async with door.connection() as (reader, writer):
            writer.write(door.request(b"", length=1_000))
            answer = asyncio.create_task(read_answer(reader))
            while not answer.done():
                writer.write(b" ")
                await door.still_serves()
                await asyncio.sleep(0.02)
            assert (answer.result().status, answer.result().json["code"]) == (408, "too_slow")
            assert await closed(reader) == b""
        assert door.count("ingest_refused_total", why="too_slow") == 1
        assert door.count("http_cut_total", why="body") == 1


async def test_a_peer_that_goes_in_the_middle_of_its_body_is_counted_and_forgotten(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.connection() as (_, writer):
        writer.write(door.request(b"{", length=1_000))
        await asyncio.sleep(0.05)
    await until_it_is(lambda: door.count("ingest_refused_total", why="gone"), 5)
    assert door.count("ingest_bytes_at_work") == 0
    assert caplog.records == []
    await door.still_serves()


@pytest.mark.parametrize("lie", [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n"])
async def test_a_chunk_that_lies_about_its_size_is_refused_at_once(door: Door, lie: bytes) -> None:
    head = door.request(b"", Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    async with door.connection() as (reader, writer):
        writer.write(head + b"1\r\n{\r\n")
        await asyncio.sleep(0.05)
        writer.write(lie)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (400, "not_http")
        await closed(reader)
    await door.still_serves()


async def test_every_reason_is_in_the_metrics_from_the_start(door: Door) -> None:
    assert len(set(WHYS)) == len(WHYS)
    assert all(
        door.registry.get_sample_value("watchkeeper_ingest_refused_total", {"why": why}) == 0 for why in WHYS
    )


# --- memory: a server of its own, and all of it at once ---------------------------------------------------------------


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
        cwd=Path(__file__).parent.parent.parent,
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
