"""Acknowledged batches that are not there after kill -9 at random moments."""

from __future__ import annotations

import random
import time

from tests.bench.fleet import Settings, stage
from tests.bench.table import Goal, Row
from tests.system import load
from tests.system.harness import Collector, wait_until

HOSTS = 6
DELAY_S_MAX = 0.3


def run(settings: Settings) -> list[Row]:
    dice = random.Random()
    with stage() as here:
        collector: Collector = here.collector(rules=[load.RULE])
        hosts = load.enrol_hosts(collector.database.parent, HOSTS)
        fleet = load.Load(hosts)
        collector.start()
        for _ in range(settings.crashes):
            before = fleet.acknowledged
            fleet.start(collector.port)
            wait_until("some pushes", lambda before=before: fleet.acknowledged > before + 10 * HOSTS)  # type: ignore[misc]
            time.sleep(dice.uniform(0, DELAY_S_MAX))
            collector.kill()
            fleet.stop()
            collector.start()
        lost, acknowledged = sum(missing(collector, host) for host in hosts), fleet.acknowledged
        refused = [fault for host in hosts for fault in host.faults]
        assert not refused, f"{len(refused)} pushes were refused, such as: {refused[0]}"
        load.check_file(collector, hosts, all_acknowledged=False)
    figure = f"{lost} of {acknowledged:,}, over {settings.crashes} kills"
    return [Row("acknowledged batches lost over kill -9 under load", figure, lost, Goal(0, 0))]


def missing(collector: Collector, host: load.Host) -> int:
    stored = {row["at"] for row in collector.ask("SELECT at FROM batches WHERE host = ?", host.number)}
    return sum(batch.at not in stored for batch in host.known)
