"""What is taken of a push, and what becomes of the times that an agent's clock gave it."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from agent import wire
from collector.ingest import LATE_MS_MAX
from tests.collector.door import NOW, SPOOL, Door, read_answer
from tests.collector.ingest.pushing import arrived

HOUR_MS = 3_600_000


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
