"""The requests of simulated hosts are those of agents, and each host tells a story of its own."""

from __future__ import annotations

import gzip
from urllib.parse import urlsplit

import pytest

from agent import wire
from collector.cli.simulate.pushes import Breach, Host, breached, packed, parse_breach
from collector.cli.simulate.trace import Tick
from collector.ingest.body import decode, unpack

TOKEN = wire.Token("default", "a" * 12, "b" * 40)
TICKS = [
    Tick(
        {
            "load1": float(number),
            'disk_used_pct{mount="/"}': 20.0,
            'disk_used_pct{mount="/var"}': 30.0,
            "x": None,
        },
        [wire.CheckState("cpu", "cpu", "ok")],
    )
    for number in range(5)
]
NOW = 1_800_000_000_000


def host(number: int = 0, ticks: list[Tick] = TICKS, url: str = "http://127.0.0.1:8420") -> Host:
    return Host(number, "sim", TOKEN, urlsplit(url), [packed(tick, 10_000) for tick in ticks])


def taken_apart(request: bytes) -> tuple[list[str], wire.Push]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[-1] == f"Content-Length: {len(body)}"
    return lines, decode(unpack(body, "gzip"))


def test_a_request_is_what_an_agent_sends() -> None:
    lines, push = taken_apart(host().request(NOW))
    assert lines[:2] == ["POST /api/agent/v1/batches HTTP/1.1", "Host: 127.0.0.1:8420"]
    assert f"Authorization: Bearer {TOKEN}" in lines
    (batch,) = push.batches
    assert (batch.seq, batch.at, batch.sent, batch.every_ms) == (0, NOW, NOW, 10_000)
    assert batch.samples == TICKS[0].samples
    assert batch.checks == TICKS[0].checks


def test_a_collector_behind_a_path_of_a_proxy_is_found() -> None:
    lines, _ = taken_apart(host(url="https://user@watch.example.org/wk/").request(NOW))
    assert lines[:2] == ["POST /wk/api/agent/v1/batches HTTP/1.1", "Host: watch.example.org"]


def test_batches_are_numbered_and_never_of_one_moment_and_leave_no_gap_to_be_filled() -> None:
    one = host()
    pushes = [taken_apart(one.request(NOW))[1] for _ in range(7)]
    batches = [push.batches[0] for push in pushes]
    assert [batch.seq for batch in batches] == list(range(7))
    assert [push.floor for push in pushes] == list(range(7))
    assert [batch.at for batch in batches] == [NOW + number for number in range(7)]
    assert [batch.samples["load1"] for batch in batches] == [0, 1, 2, 3, 4, 0, 1]
    assert len({push.spool for push in pushes}) == 1


def test_each_host_begins_at_an_offset_of_its_own_with_a_spool_of_its_own() -> None:
    pushes = [taken_apart(host(number).request(NOW))[1] for number in range(5)]
    assert len({push.spool for push in pushes}) == 5
    assert {push.batches[0].samples["load1"] for push in pushes} == {0, 1, 2, 3, 4}


def test_what_is_packed_is_gzip_to_anybody() -> None:
    whole = packed(TICKS[0], 10_000).after(b'{"head":')
    assert gzip.decompress(whole).startswith(b'{"head":,"every_ms":10000')


def test_a_breach_is_of_one_series_or_of_all_of_a_metric() -> None:
    one = breached(TICKS, [Breach("sim", 'disk_used_pct{mount="/"}', 99.0)])
    assert one[3].samples == {**TICKS[3].samples, 'disk_used_pct{mount="/"}': 99.0}
    both = breached(TICKS, [Breach("sim", "disk_used_pct", 99.0), Breach("sim", "load1", 7.0)])
    assert list(both[3].samples.values()) == [7.0, 99.0, 99.0, None]


def test_a_breach_is_written_with_colons() -> None:
    assert parse_breach("sim-0003:disk_used_pct:99") == Breach("sim-0003", "disk_used_pct", 99.0)
    assert parse_breach('sim-0003:x{a="b:c"}:1e3') == Breach("sim-0003", 'x{a="b:c"}', 1000.0)


@pytest.mark.parametrize("text", ["", "sim-0003", "sim-0003:99", "sim-0003:disk_used_pct:full"])
def test_what_is_no_breach(text: str) -> None:
    with pytest.raises(ValueError, match="is no breach; write HOST:SERIES:VALUE"):
        parse_breach(text)


def test_a_series_that_the_trace_has_not_is_told_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="no series 'load7'; it has disk_used_pct, load1, x"):
        breached(TICKS, [Breach("sim", "load7", 1.0)])
