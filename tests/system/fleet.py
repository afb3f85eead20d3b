"""A small fleet that exists only here: hosts that behave like hosts, the same at every run."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from agent.wire import BATCHES_PER_PUSH_MAX, PATH, Batch, CheckState, Push, decode_results, encode

EVERY_MS = 10_000
HOUR_MS = 3_600_000
GIB = 2**30
AGAIN_S = 60
"""How long a collector that has too much to do may put a push off."""


class Simulated(Struct):
    """A host: `quirk` changes what it would send at `age_ms` before the end of the scene, None sends nothing."""

    name: str
    labels: dict[str, str]
    cpu: float
    memory: float
    disks: dict[str, float]
    cores: int = 4
    memory_gib: int = 16
    quirk: Callable[[dict[str, float | None], int], dict[str, float | None] | None] | None = None
    url: str = ""

    def batches(self, start: int, end: int, *, scene_end: int | None = None) -> Iterator[Batch]:
        """What its agent would have sampled from `start` to `end`, oldest first; quirks count back from `scene_end`."""
        for at in range(start - start % -EVERY_MS, end, EVERY_MS):
            samples = self._samples(at, random.Random(f"{self.name} {at}"))
            changed = self.quirk(samples, (scene_end or end) - at) if self.quirk else samples
            if changed is not None:
                checks = self._checks(changed)
                yield Batch(at // EVERY_MS, at, end, EVERY_MS, changed, checks, self._facts(), self.labels)

    def _facts(self) -> dict[str, str]:
        return {
            "hostname": self.name,
            "os": "Debian GNU/Linux 12 (bookworm)",
            "kernel": "6.1.0-40-amd64",
            "arch": "x86_64",
            "cores": str(self.cores),
            "memory_bytes": str(self.memory_gib * GIB),
            "agent_version": "0.1.0",
        }

    def _samples(self, at: int, chance: random.Random) -> dict[str, float | None]:
        wave = math.sin(at / HOUR_MS * 2.1 + len(self.name)) + 0.4 * math.sin(at / HOUR_MS * 17 + self.cpu)
        cpu = max(0.3, self.cpu * (1 + 0.35 * wave) + chance.gauss(0, 1 + self.cpu / 12))
        load = cpu / 100 * self.cores * 1.2
        memory = self.memory + 2 * wave + chance.gauss(0, 0.2)
        samples: dict[str, float | None] = {
            "cpu_used_pct": min(100.0, cpu),
            "cpu_steal_pct": abs(chance.gauss(0, 0.2)),
            "load1": max(0.0, load + chance.gauss(0, 0.05)),
            "load5": load * 0.95,
            "load15": load * 0.9,
            "memory_used_pct": memory,
            "memory_used_bytes": memory / 100 * self.memory_gib * GIB,
            "swap_used_pct": 0.4,
            'net_rx_bytes_per_s{nic="eth0"}': abs(cpu * 42e3 + chance.gauss(0, 9e4)),
            'net_tx_bytes_per_s{nic="eth0"}': abs(cpu * 17e3 + chance.gauss(0, 5e4)),
            "pressure_cpu_some_pct": max(0.0, cpu / 20 + chance.gauss(0, 0.3)),
            "pressure_memory_some_pct": 0.0,
            "pressure_io_some_pct": max(0.0, chance.gauss(0.4, 0.3)),
            "collector_rtt_ms": 3 + abs(chance.gauss(0, 1.2)),
        }
        for mount, used in self.disks.items():
            samples[f'disk_used_pct{{mount="{mount}"}}'] = used
        if self.url:
            samples['http_total_ms{check="shop"}'] = 120 + 40 * wave + abs(chance.gauss(0, 25))
        return samples

    def _checks(self, samples: dict[str, float | None]) -> list[CheckState]:
        kinds = ["cpu", "disk", "load", "memory", "network"]
        checks = [CheckState(kind, kind, "ok", 2.0 + len(kind) / 10) for kind in kinds]
        if self.url:
            took = samples['http_total_ms{check="shop"}'] or 0.0
            slow = took > 1_000
            detail = f"{self.url} answered 200" + (", slower than 1 s" if slow else "")
            checks.append(CheckState("shop", "http", "warn" if slow else "ok", took, detail))
        return checks


def _fills(
    mount: str, over_ms: int, to: float
) -> Callable[[dict[str, float | None], int], dict[str, float | None]]:
    """A mount that fills up, and is `to` percent full at the end."""

    def quirk(samples: dict[str, float | None], age_ms: int) -> dict[str, float | None]:
        name = f'disk_used_pct{{mount="{mount}"}}'
        before = samples[name] or 0.0
        return samples | {name: to - (to - before) * min(1.0, age_ms / over_ms)}

    return quirk


def _slow(since_ms: int) -> Callable[[dict[str, float | None], int], dict[str, float | None]]:
    def quirk(samples: dict[str, float | None], age_ms: int) -> dict[str, float | None]:
        name = 'http_total_ms{check="shop"}'
        return samples | {name: (samples[name] or 0.0) * 8} if age_ms < since_ms else samples

    return quirk


def _gone(since_ms: int) -> Callable[[dict[str, float | None], int], dict[str, float | None] | None]:
    return lambda samples, age_ms: None if age_ms < since_ms else samples


def _away(
    since_ms: int, until_ms: int
) -> Callable[[dict[str, float | None], int], dict[str, float | None] | None]:
    return lambda samples, age_ms: None if until_ms < age_ms < since_ms else samples


MINUTE_MS = 60_000
FLEET = [
    Simulated("web-1", {"role": "web", "site": "fra"}, 22, 48, {"/": 41}, url="https://shop.example/"),
    Simulated("web-2", {"role": "web", "site": "fra"}, 25, 51, {"/": 43}, url="https://shop.example/"),
    Simulated("web-3", {"role": "web", "site": "fra"}, 19, 47, {"/": 40}, url="https://shop.example/"),
    Simulated(
        "web-7",
        {"role": "web", "site": "ams"},
        34,
        58,
        {"/": 44},
        quirk=_slow(11 * MINUTE_MS),
        url="https://shop.example/",
    ),
    Simulated("db-1", {"role": "db", "site": "fra"}, 38, 72, {"/": 31, "/var": 66}, cores=16, memory_gib=64),
    Simulated("db-2", {"role": "db", "site": "ams"}, 30, 70, {"/": 31, "/var": 64}, cores=16, memory_gib=64),
    Simulated(
        "db-3",
        {"role": "db", "site": "ams"},
        41,
        74,
        {"/": 33, "/var": 78},
        cores=16,
        memory_gib=64,
        quirk=_fills("/var", 55 * MINUTE_MS, 98.2),
    ),
    Simulated("queue-1", {"role": "queue", "site": "fra"}, 9, 35, {"/": 22}),
    Simulated(
        "queue-2",
        {"role": "queue", "site": "ams"},
        8,
        34,
        {"/": 24},
        quirk=_away(38 * MINUTE_MS, 24 * MINUTE_MS),
    ),
    Simulated("cam-1", {"role": "camera", "site": "gate"}, 55, 62, {"/": 71}, cores=2, memory_gib=2),
    Simulated(
        "cam-2",
        {"role": "camera", "site": "gate"},
        52,
        61,
        {"/": 69},
        cores=2,
        memory_gib=2,
        quirk=_gone(17 * MINUTE_MS),
    ),
    Simulated("backup", {"role": "backup", "site": "fra"}, 4, 18, {"/": 29, "/srv/backup": 83}),
    Simulated("build-1", {"role": "build", "site": "fra"}, 62, 55, {"/": 57}, cores=32, memory_gib=128),
    Simulated("mail", {"role": "mail", "site": "fra"}, 6, 44, {"/": 38, "/var/mail": 61}),
]


class Pusher:
    """Hands a host's batches to a collector, as its agent would."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._spool = hashlib.sha256(token.encode()).hexdigest()[:32]

    def push(self, batches: Iterable[Batch]) -> None:
        """All of them, oldest first, as long as the collector wants to have them again; an AssertionError when one is
        not taken."""
        waiting = list(batches)
        for batch in waiting:
            batch.sent = time.time_ns() // 1_000_000
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        deadline_s = time.monotonic() + AGAIN_S
        with contextlib.closing(connection):
            while waiting:
                some = waiting[:BATCHES_PER_PUSH_MAX]
                connection.request("POST", PATH, encode(Push(1, self._spool, "boot", some)), headers)
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200, f"the collector answered {answer.status}: {body.decode()}"
                results = decode_results(body).results
                assert set(results) <= {"ok", "again"}, body.decode()
                assert time.monotonic() < deadline_s, f"for {AGAIN_S} s it wants to have all of it again"
                waiting = [
                    one for one, result in zip(some, results, strict=True) if result == "again"
                ] + waiting[len(some) :]
                if "again" in results:
                    time.sleep(0.2)
