"""The power goes at bad moments: what was acknowledged does not depend on anything that was not on disk by then.

What is not synced when the power goes is the end of SQLite's write-ahead log, in any length. So that log is copied at a
moment, cut off wherever it can be, and what is left is opened. (`make bench ARGS="--only power"` cuts a whole file
system off from its disk, where the machine allows for that.)
"""

from __future__ import annotations

import random
import time

from tests.system import load
from tests.system.harness import Stage
from tests.system.write_ahead_log import (
    FRAME_HEAD,
    ends_of_frames,
    frames_in_the_database,
    frozen,
    left_behind,
    log_of,
    on_a_real_disk,
    put,
    unwritten_pages,
)

HOSTS = 6
PUSHES = 40
ROUNDS = 4
CUTS = 20
"""In each round: at the end of so many of the newest frames."""


def test_at_each_acknowledgement_the_files_hold_all_that_was_acknowledged(stage: Stage) -> None:
    collector, left = stage.collector(rules=[load.RULE]), left_behind(stage, "left")
    (host,) = load.enrol_hosts(collector.database.parent, 1)
    collector.start()
    told = on_a_real_disk(stage.folder)
    for _ in range(PUSHES):
        host.step(collector.port)
        with frozen(collector):
            unwritten = unwritten_pages(log_of(collector.database))
            database, log = collector.database.read_bytes(), log_of(collector.database).read_bytes()
        ends = [end for end, is_commit in ends_of_frames(log) if is_commit]
        put(database, log[: max(ends, default=0)], left)
        load.check_file(left, [host], all_acknowledged=True)
        assert not (told and unwritten), (
            f"{unwritten} pages of the log were not on disk when it was acknowledged"
        )


def test_wherever_the_log_is_cut_off_each_transaction_is_there_whole_or_not_at_all(stage: Stage) -> None:
    collector, left = stage.collector(rules=[load.RULE]), left_behind(stage, "left")
    hosts = load.enrol_hosts(collector.database.parent, HOSTS)
    fleet = load.Load(hosts)
    dice = random.Random(7)
    collector.start()
    torn = 0
    for _ in range(ROUNDS):
        fleet.start(collector.port)
        time.sleep(dice.uniform(0.1, 0.3))
        with frozen(collector):
            known = fleet.as_known_now()
            database, log = collector.database.read_bytes(), log_of(collector.database).read_bytes()
            in_database = frames_in_the_database(collector.database)
        fleet.stop()
        ends = ends_of_frames(log)
        last = max((end for end, is_commit in ends if is_commit), default=0)
        put(database, log[:last], left)
        load.check_file(left, known, all_acknowledged=False)
        for end, is_commit in ends[in_database:][-CUTS:]:
            put(database, log[: end + dice.choice((0, 0, FRAME_HEAD + 100))], left)
            load.check_whole(left, hosts)
            torn += not is_commit
    assert torn > ROUNDS, "no transaction was cut in two"
    assert fleet.acknowledged > 10 * HOSTS
