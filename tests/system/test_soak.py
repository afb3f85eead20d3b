"""The short forms of the soaks: an agent that ticks every 0.1 s, and a collector to which everything happens."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.system.soak import agent, collector
from tests.system.soak.inside import Inside
from tests.system.soak.looks import Look, judged

EVERYTHING_S = 75


def test_over_a_thousand_ticks_neither_memory_nor_descriptors_grow(tmp_path: Path) -> None:
    seen = agent.run(tmp_path, 90)
    assert seen.faults() == [], judged(seen.looks)[::10]
    assert seen.ticks > 600


def test_what_grows_is_noticed() -> None:
    looks = [Look(second, 30 + second / 20, 10 + second // 5, 5) for second in range(100)]
    assert agent.Soak(looks, 1_000, 1, 0).faults() == [
        "memory grew by 2.95 MiB",
        "descriptors grew from 18 to 24",
        "1 batches are missing",
        "no evidence came",
    ]


def test_a_collector_to_which_everything_happens_holds_as_much_as_before_once_all_have_left(
    tmp_path: Path,
) -> None:
    seen = collector.run(tmp_path, EVERYTHING_S, hosts=40)
    assert seen.faults() == [], [*seen.looks, *seen.summary()]
    assert min(seen.done.values()) > 0, seen.done
    assert seen.done["push"] > 500


def test_what_a_collector_keeps_of_who_has_left_is_noticed() -> None:
    def seen(at_s: float, kept: int) -> collector.Seen:
        inside = Inside(20 + kept, 0, 0.0, 4.0, 16.0, {"Feed._listeners": kept, "Kept._entries": 5})
        return collector.Seen(Look(at_s, 100.0 + kept / 4, 20 + kept, 7), inside, 1.0)

    looks = [Look(second, 120, 120, 15) for second in range(60)]
    soak = collector.Soak(seen(0, 0), looks, (seen(30, 3), seen(90, 60)), Counter(push=1), [], [])
    assert soak.quiet[0].own_mib == 80.75
    assert soak.faults() == [
        "memory grew by 14.25 MiB",
        "descriptors grew from 23 to 80, and nobody is there",
        "tasks grew from 20 to 80, and nobody is there",
    ]
    assert soak.summary()[1:] == ["grew by 57 to 60: Feed._listeners"]
