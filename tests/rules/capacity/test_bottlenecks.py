"""What of a host's numbers is a sign of want, and in which words."""

from __future__ import annotations

import math

import pytest

from rules.capacity.bottlenecks import SIGNS, bottlenecks
from rules.model import Series

TABLE: list[tuple[dict[str, float], list[str], str]] = [
    ({}, [], "no numbers, no want"),
    ({"cpu_used_pct": 99.0}, [], "a busy processor is work, not want"),
    (
        {"pressure_cpu_some_pct": 45.0},
        ["programs stood still 45 % of the time for want of CPU"],
        "waiting for it is",
    ),
    ({"pressure_cpu_some_pct": 5.0}, [], "... unless it is little"),
    ({"cpu_steal_pct": 30.0}, ["the hypervisor gave 30 % of the processors' time to others"], "steal"),
    (
        {'cpu_mode_pct{mode="iowait"}': 40.0, 'cpu_mode_pct{mode="user"}': 60.0},
        ["processors idled 40 % of the time waiting for disks"],
        "of the modes, only waiting for disks",
    ),
    (
        {'disk_busy_pct{device="sda"}': 99.0, 'disk_busy_pct{device="sdb"}': 3.0},
        ["disk sda had something to do 99 % of the time"],
        "the disk that is busy is named",
    ),
    ({"swap_used_pct": 90.0}, ["90 % of the swap is used"], "swap"),
    ({"oom_kills_per_s": 0.01}, ["the kernel kills programs for want of memory"], "any kill is one too many"),
    ({"oom_kills_per_s": 0.0}, [], "... and none is none"),
    (
        {"tcp_retransmits_pct": 6.0},
        ["6 % of what was sent by TCP had to be sent again"],
        "a network that loses",
    ),
    ({"swap_used_pct": math.nan}, [], "no answer is no sign"),
    ({"swap_used_pct{": 99.0}, [], "what is no series is passed over"),
]


@pytest.mark.parametrize(("values", "said", "sentence"), TABLE, ids=[row[2] for row in TABLE])
def test_a_sign(values: dict[str, float], said: list[str], sentence: str) -> None:
    assert [found.words for found in bottlenecks(values)] == said, sentence


def test_the_worst_comes_first() -> None:
    found = bottlenecks({"pressure_memory_some_pct": 80.0, "pressure_cpu_some_pct": 30.0})
    assert [(one.resource, one.beyond) for one in found] == [("memory", 8.0), ("cpu", 1.5)]


def test_every_sign_speaks_of_a_series_that_agents_send() -> None:
    from pathlib import Path

    known = Path(__file__).parents[3].joinpath("docs/series.md").read_text()
    assert [sign.metric for sign in SIGNS if f"`{Series.parse(sign.metric).metric}`" not in known] == []
