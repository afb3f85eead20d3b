"""The short form of the soak: a minute and a half of ticks of 0.1 s."""

from __future__ import annotations

from pathlib import Path

from tests.system import soak


def test_over_a_thousand_ticks_neither_memory_nor_descriptors_grow(tmp_path: Path) -> None:
    seen = soak.run(tmp_path, 90)
    assert seen.faults() == [], seen.judged[::10]
    assert seen.ticks > 600


def test_what_grows_is_noticed() -> None:
    looks = [soak.Look(second, 30 + second / 20, 10 + second // 20, 5) for second in range(100)]
    assert soak.Soak(looks, 1_000, 1, 0).faults() == [
        "memory grew by 2.95 MiB",
        "descriptors grew from 12 to 13",
        "1 batches are missing",
        "no evidence came",
    ]
