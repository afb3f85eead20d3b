"""Acknowledged batches that are not there after kill -9 at random moments."""

from __future__ import annotations

import random
import time

from tests.bench.fleet import Settings, stage
from tests.bench.progress import tell_each
from tests.bench.table import Goal, Row
from tests.system import load
from tests.system.harness import Collector
from tests.system.programs import wait_until

HOSTS = 6
DELAY_S_MAX = 0.3


def run(settings: Settings) -> list[Row]:
    dice = random.Random()
    with stage() as here:
        collector: Collector = here.collector(rules=[load.RULE])
        hosts = load.enrol_hosts(collector.database.parent, HOSTS)
        fleet = load.Load(hosts)
        collector.start()
        for turn in range(settings.crashes):
            tell_each(10, turn, settings.crashes, "kills")
            fleet.start(collector.port)
            wait_for_pushes(fleet, dice)
            collector.kill()
            fleet.stop()
            collector.start()
        lost, acknowledged = sum(len(missing(collector, host)) for host in hosts), fleet.acknowledged
        refused = [fault for host in hosts for fault in host.faults]
        assert not refused, f"{len(refused)} pushes were refused, such as: {refused[0]}"
        if not lost:
            load.check_file(collector, hosts, all_acknowledged=False)
        collector.command("store", "check")
    whole = (
        "" if lost else "; each is there once, with what follows from it, and `store check` finds no fault"
    )
    figure = f"{lost:,} of {acknowledged:,}, over {settings.crashes} kills{whole}"
    return [Row("acknowledged batches lost over kill -9 under load", figure, lost, Goal(0, 0))]


def wait_for_pushes(fleet: load.Load, dice: random.Random) -> None:
    """Until some more are acknowledged, and then for a moment."""
    before = fleet.acknowledged
    wait_until("some pushes", lambda: fleet.acknowledged > before + 10 * HOSTS)
    time.sleep(dice.uniform(0, DELAY_S_MAX))


def missing(collector: Collector, host: load.Host) -> set[int]:
    """The moments of its acknowledged batches that are not there."""
    stored = {row["at"] for row in collector.ask("SELECT at FROM batches WHERE host = ?", host.number)}
    return {batch.at for batch in host.known} - stored
