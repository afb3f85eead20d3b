"""Hosts that are not there, pushing over HTTP as agents do. They know what they sent and what was acknowledged."""

from __future__ import annotations

import asyncio
import copy
import http.client
import struct
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from agent import wire
from collector.auth import new_token
from collector.stores.sqlite import open_store
from tests.system.harness import Collector

METRIC = "queue_length"
LIMIT = 100.0
CALM, BAD = 7.0, 250.0
SERIES = 20
SPELL = 5
"""So many batches a host is well, then so many it is not."""
PAUSE_S = 0.001
AGAIN_S = 0.03

RULE = {
    "name": "queue-long",
    "metric": METRIC,
    "above": LIMIT,
    "severity": "critical",
    "summary": "{{host}}: {{value}}",
}


class Known(Struct, frozen=True):
    """A batch that was acknowledged."""

    seq: int
    at: int
    bad: bool


class Host:
    """One simulated host: sends in order, and the same again until it is acknowledged."""

    def __init__(self, number: int, name: str, token: wire.Token) -> None:
        self.number, self.name = number, name
        self.known: list[Known] = []
        self.pushes = self.tries_in_vain = 0
        self.faults: list[str] = []
        self._token = token
        self._spool = f"{number:032x}"
        self._seq = self._at = 0
        self._held: list[Known] = []

    def work(self, port: int, enough: threading.Event) -> None:
        """Push until told that it is enough; what is not acknowledged then stays to be sent the next time."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            while not enough.is_set():
                if not self._held:
                    self._sample()
                if self._push(connection):
                    enough.wait(PAUSE_S)
                else:
                    self.tries_in_vain += 1
                    connection.close()
                    enough.wait(AGAIN_S)
        finally:
            connection.close()

    def step(self, port: int) -> None:
        """Sample once and push that, until it is acknowledged."""
        self._sample()
        self.finish(port)

    def finish(self, port: int) -> None:
        """Push what is left, until it is acknowledged."""
        deadline_s = time.monotonic() + 30
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            while self._held and not self._push(connection):
                assert time.monotonic() < deadline_s, f"{self.name} still has {len(self._held)} batches"
                time.sleep(AGAIN_S)
        finally:
            connection.close()

    def _sample(self) -> None:
        for _ in range(1 + self._seq % 3):
            self._at = max(self._at + 1, time.time_ns() // 1_000_000)
            self._held.append(Known(self._seq, self._at, bad=self._seq // SPELL % 2 == 1))
            self._seq += 1

    def _push(self, connection: http.client.HTTPConnection) -> bool:
        sent = max(self._at, time.time_ns() // 1_000_000)
        batches = [
            wire.Batch(seq=batch.seq, at=batch.at, sent=sent, every_ms=100, samples=samples_of(batch))
            for batch in self._held
        ]
        floor = self._held[0].seq
        body = wire.encode(wire.Push(v=1, spool=self._spool, boot_id="load", batches=batches, floor=floor))
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self.pushes += 1
        try:
            connection.request("POST", wire.PATH, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        if answer.status != 200:
            if answer.status != 503:
                self.faults.append(f"{answer.status} {data[:200]!r}")
            return False
        for batch, result in zip(list(self._held), wire.decode_results(data).results, strict=True):
            if result == "ok":
                self.known.append(batch)
                self._held.remove(batch)
            elif result != "again":
                self.faults.append(str(result))
        return not self._held


def samples_of(batch: Known) -> dict[str, float | None]:
    """What a batch says can be told from its number."""
    samples: dict[str, float | None] = {f"known_{i:02}": float(batch.seq * 100 + i) for i in range(SERIES)}
    samples[METRIC] = BAD if batch.bad else CALM
    return samples


class Load:
    """All simulated hosts at work, each in a thread."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.hosts = hosts
        self._threads: list[threading.Thread] = []
        self._enough = threading.Event()

    def start(self, port: int) -> None:
        self._enough.clear()
        self._threads = [
            threading.Thread(target=host.work, args=(port, self._enough), daemon=True) for host in self.hosts
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def finish(self, port: int) -> None:
        for host in self.hosts:
            host.finish(port)

    def as_known_now(self) -> list[Host]:
        """The hosts with what is acknowledged at this moment, which does not grow any more."""
        known = [copy.copy(host) for host in self.hosts]
        for host in known:
            host.known = list(host.known)
        return known

    @property
    def acknowledged(self) -> int:
        return sum(len(host.known) for host in self.hosts)

    def has_acknowledged(self, batches: int) -> bool:
        return self.acknowledged >= batches


def enrol_hosts(state: Path, count: int) -> list[Host]:
    """Enrol `count` hosts in a store that no collector holds."""

    async def work() -> list[Host]:
        store = await open_store(state, role="collector")
        try:
            hosts = []
            for number in range(count):
                token, sha256 = new_token()
                row = await store.hosts.enrol(f"load-{number}", {}, token.id, sha256, 0)
                hosts.append(Host(row.id, row.name, token))
            return hosts
        finally:
            await store.close()

    return asyncio.run(work())


# --- what must be in the file -----------------------------------------------------------------------------------------


def check_file(collector: Collector, hosts: Sequence[Host], *, all_acknowledged: bool) -> None:
    """Every acknowledged batch is there exactly once with its values, and with its transitions.

    Without `all_acknowledged` there may be more: what was kept just before a crash, and not answered any more.
    """
    assert collector.ask_one("PRAGMA integrity_check") == "ok"
    layouts = {row["id"]: names_of(row["names"]) for row in collector.ask("SELECT id, names FROM layouts")}
    for host in hosts:
        assert host.faults == []
        rows = collector.ask(
            "SELECT at, layout, samples FROM batches WHERE host = ? ORDER BY at", host.number
        )
        stored = [row["at"] for row in rows]
        assert len(stored) == len(set(stored)), f"{host.name} has batches twice"
        known = sorted(host.known, key=lambda batch: batch.at)
        missing = {batch.at for batch in known} - set(stored)
        assert not missing, f"{host.name} lacks {len(missing)} acknowledged batches"
        if all_acknowledged:
            assert len(stored) == len(known)
        values = {
            row["at"]: dict(zip(layouts[row["layout"]], unpacked(row["samples"]), strict=True))
            for row in rows
        }
        for batch in known:
            assert values[batch.at] == samples_of(batch)
        check_transitions(collector, host, known)


def check_whole(collector: Collector, hosts: Sequence[Host]) -> None:
    """Whichever batches are there, all that follows from them is there too, and nothing else."""
    assert collector.ask_one("PRAGMA integrity_check") == "ok"
    layouts = {row["id"]: names_of(row["names"]) for row in collector.ask("SELECT id, names FROM layouts")}
    for host in hosts:
        rows = collector.ask(
            "SELECT at, layout, samples FROM batches WHERE host = ? ORDER BY at", host.number
        )
        stored = []
        for row in rows:
            values = dict(zip(layouts[row["layout"]], unpacked(row["samples"]), strict=True))
            stored.append(Known(round(values["known_00"] / 100), row["at"], values[METRIC] == BAD))
            assert values == samples_of(stored[-1])
        assert [batch.seq for batch in stored] == list(range(len(stored)))
        seen = collector.ask("SELECT below, ranges FROM seen WHERE host = ?", host.number)
        assert [(row["below"], row["ranges"]) for row in seen] == ([(len(stored), b"")] if stored else [])
        check_transitions(collector, host, stored)


def check_transitions(collector: Collector, host: Host, known: Sequence[Known]) -> None:
    """The transitions up to the last acknowledged batch are those that follow from the batches, once each."""
    upto = known[-1].at if known else 0
    rows = collector.ask(
        "SELECT at, before, after, late FROM transitions WHERE subject LIKE ? AND at <= ? ORDER BY id",
        f"host:{host.number}/series:%",
        upto,
    )
    found = [(row["at"], row["before"], row["after"]) for row in rows]
    assert found == expected_transitions(known), host.name
    assert not any(row["late"] for row in rows)


def expected_transitions(known: Sequence[Known]) -> list[tuple[int, str, str]]:
    found, bad = [], False
    for batch in known:
        if batch.bad != bad:
            found.append((batch.at, "ok", "firing") if batch.bad else (batch.at, "firing", "ok"))
            bad = batch.bad
    return found


def names_of(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


def unpacked(samples: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(samples) // 8}d", samples)
