"""A collector that somebody lives with, for pictures: all that `lived` furnishes, and a fleet that goes on meanwhile,
with a disk that has been filling up for a month and a host that fell silent."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.wire import Batch
from tests.receivers import now_ms
from tests.system.fleet import EVERY_MS, FLEET, HOUR_MS, Pusher, Simulated
from tests.system.harness import Collector
from tests.system.lived import DAY_MS, add_user, furnish, rules, settings
from tests.system.programs import wait_until

GONE = "cam-2"
SCENE = [host for host in FLEET if host.name in {"web-7", "db-3", "queue-2", "backup", GONE}]
PAST_MS = 30 * DAY_MS
PATIENT_S = 120
"""A silent host is missed and what fills up is looked at within a minute or so, on a machine that has time."""


@contextlib.contextmanager
def lived_in(folder: Path) -> Iterator[Collector]:
    collector = Collector(
        folder,
        settings={**settings(), "late_max": "31d"},
        rules=rules(),
        channels=[{"kind": "log", "name": "log"}],
    )
    over = threading.Event()
    try:
        furnish(collector)
        end = now_ms()
        pushers = {host.name: _push(collector, host, end) for host in SCENE}
        threading.Thread(target=_go_on, args=(pushers, end, over)).start()
        collector.stop()
        collector.start()  # hosts are looked at anew, now that all of their past is there
        _wait_for(collector, "/advice", "/srv/backup")
        _wait_for(collector, "/alerts", f">{GONE}</a>")
        for name, role in (("ada", "owner"), ("eve", "viewer")):
            add_user(collector, name, role)
        yield collector
    finally:
        over.set()
        collector.end()


def _wait_for(collector: Collector, path: str, text: str) -> None:
    wait_until(f"{text} on {path}", lambda: text in collector.get(path)[1], PATIENT_S, every_s=0.5)


def _push(collector: Collector, host: Simulated, end: int) -> Pusher:
    """Its last hour, and of a host with a large disk the month before that."""
    labels = [f"{key}={value}" for key, value in host.labels.items()]
    pusher = Pusher(collector.port, collector.add_host(host.name, *labels)["agent"]["token"])
    if any(mount.startswith("/srv") for mount in host.disks):
        pusher.push(_month(host, end - HOUR_MS))
    pusher.push(host.batches(end - HOUR_MS, end))
    return pusher


def _month(host: Simulated, end: int) -> Iterator[Batch]:
    """Its disks grew as they do: a little every day, and never quite evenly."""
    chance = random.Random(host.name)
    aside = 0.0
    end -= end % EVERY_MS
    for at in range(end - PAST_MS, end, HOUR_MS):
        aside = 0.9 * aside + chance.gauss(0, 0.9)
        [batch] = host.batches(at, at + 1)
        batch.samples |= {
            f'disk_used_pct{{mount="{mount}"}}': used - 20 * (end - at) / PAST_MS + aside
            for mount, used in host.disks.items()
            if mount.startswith("/srv")
        }
        batch.every_ms = HOUR_MS
        yield batch


def _go_on(pushers: Mapping[str, Pusher], end: int, over: threading.Event) -> None:
    """Every host sends on as it did, but for the one that is gone; while the collector is away, some of it is lost."""
    told = end
    while not over.wait(EVERY_MS / 1000):
        since, told = told, now_ms()
        for host in SCENE:
            if host.name != GONE and not over.is_set():
                with contextlib.suppress(OSError):
                    pushers[host.name].push(host.batches(since, told, scene_end=end))
