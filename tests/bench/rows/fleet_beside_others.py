"""The same thousand hosts pushed at us and at others: the memory it takes, and one metric of all hosts asked for."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tests.bench.client import Order, press
from tests.bench.fleet import Server, Settings, collector, stage
from tests.bench.process import resident_mib
from tests.bench.progress import tell
from tests.bench.rows.push_rate import PEERS, Peer
from tests.bench.table import Row, quantile
from tests.system.harness import Collector

HOSTS, PUSHES_PER_S, SECONDS = 1_000, 1_000, 10.0
METRIC = "cpu_used_pct"
READS = 25
SETTLED_S = 2.0
"""So soon VictoriaMetrics finds what was pushed."""


def ask_us(turn: int) -> str:
    """Never twice the same, so that no answer is one that was kept."""
    return "/api/monitoring/series/latest?" + urlencode({"metric": METRIC, "limit": HOSTS + turn})


def ask_others(_turn: int) -> str:
    """VictoriaMetrics would keep to itself what is younger than half a minute."""
    return "/api/v1/query?" + urlencode({"query": METRIC, "latency_offset": "1ms", "nocache": 1})


class Fleet(Struct, frozen=True):
    """What a server took for a fleet: memory after its pushes, and how long each question about it took."""

    mib: float
    took_ms: list[float]
    hosts: int

    @property
    def median_ms(self) -> float:
        return quantile(self.took_ms, 0.5)


def run(settings: Settings) -> list[Row]:
    hosts, seconds = (50, 1.0) if settings.quick else (HOSTS, SECONDS)
    with stage() as here:
        serving, tokens = collector(here, hosts)
        ours = pushed(serving, Order(serving.port, serving.pid, tokens, seconds, PUSHES_PER_S), ask_us)
    rows: list[Row] = []
    for peer in PEERS:
        tell(f"  {peer.name}")
        with stage() as here:
            server = peer.start(here)
            theirs = None
            if server is not None:
                order = Order(server.port, server.pid, tokens, seconds, PUSHES_PER_S, speaks="remote write")
                theirs = pushed(server, order, ask_others)
        rows += _rows(peer, ours, theirs)
    return rows


def pushed(server: Collector | Server, order: Order, path: Callable[[int], str]) -> Fleet:
    press(order)
    mib = resident_mib(server.pid)
    time.sleep(SETTLED_S)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    took_ms, body = [], b""
    for turn in range(READS):
        began_s = time.perf_counter()
        connection.request("GET", path(turn))
        answer = connection.getresponse()
        body = answer.read()
        took_ms.append((time.perf_counter() - began_s) * 1000)
        assert answer.status == 200, body[:300]
    connection.close()
    said = msgspec.json.decode(body)
    found = said["values"] if "values" in said else said["data"]["result"]
    assert len(found) == len(order.tokens), f"{len(found)} hosts were found"
    return Fleet(mib, took_ms, len(found))


def _rows(peer: Peer, ours: Fleet, theirs: Fleet | None) -> list[Row]:
    memory = f"memory of {peer.name} after the same pushes of {ours.hosts:,} hosts ÷ ours"
    asked = f"the newest {METRIC} of all {ours.hosts:,} hosts over HTTP ÷ {peer.name}"
    if theirs is None:
        missing = f"nothing: {peer.program} is not installed"
        return [
            Row(memory, f"{missing} ÷ {ours.mib:.0f} MiB"),
            Row(asked, f"{ours.median_ms:.1f} ms ÷ {missing}"),
        ]
    more, longer = theirs.mib / ours.mib, ours.median_ms / theirs.median_ms
    return [
        Row(memory, f"{more:.2f}: {theirs.mib:.0f} ÷ {ours.mib:.0f} MiB", more),
        Row(asked, f"{longer:.2f}: {ours.median_ms:.1f} ÷ {theirs.median_ms:.1f} ms", longer),
    ]
