from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks.cpu import MODES, Check, Options, percentages

times = st.fixed_dictionaries({mode: st.floats(0, 1e9) for mode in MODES})


def jiffies() -> list[int]:
    """The first line of /proc/stat: user nice system idle iowait irq softirq steal …"""
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


def test_it_agrees_with_proc_stat_over_the_same_time() -> None:
    check = Check(Options())
    check.measure(0.0)
    before = jiffies()
    end = time.monotonic() + 0.6
    while time.monotonic() < end:  # something to see: one processor busy
        pass
    samples = check.measure(1.0).samples
    spent = [now - then for now, then in zip(jiffies(), before, strict=True)]
    total = sum(spent)
    assert samples["cpu_used_pct"] == pytest.approx(100 * (total - spent[3] - spent[4]) / total, abs=6)
    assert samples['cpu_mode_pct{mode="user"}'] == pytest.approx(100 * spent[0] / total, abs=6)
    assert samples["cpu_used_pct"] > 10


def test_the_first_look_already_has_an_answer() -> None:
    samples = Check(Options()).measure(0.0).samples
    assert samples["cpu_used_pct"] is not None
    assert 0 <= samples["cpu_used_pct"] <= 100


def test_what_it_was_busy_with_adds_up_to_how_busy_it_was() -> None:
    before = dict.fromkeys(MODES, 0.0)
    now = dict(zip(MODES, (30, 5, 10, 20, 1, 2, 7, 25), strict=True))
    assert percentages(before, now) == {
        "cpu_used_pct": 55,
        'cpu_mode_pct{mode="user"}': 30,
        'cpu_mode_pct{mode="nice"}': 5,
        'cpu_mode_pct{mode="system"}': 10,
        'cpu_mode_pct{mode="iowait"}': 20,
        'cpu_mode_pct{mode="irq"}': 1,
        'cpu_mode_pct{mode="softirq"}': 2,
        "cpu_steal_pct": 7,
    }


def test_no_time_passed_is_a_gap() -> None:
    same = dict.fromkeys(MODES, 3.0)
    assert percentages(same, same) == {}


@given(before=times, now=times)
def test_a_percentage_stays_one_whatever_the_counters_do(
    before: dict[str, float], now: dict[str, float]
) -> None:
    assert all(value is not None and 0 <= value <= 100.001 for value in percentages(before, now).values())
