from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import cpu
from agent.checks.cpu import COLUMNS, Check, Options, percentages

times = st.fixed_dictionaries({mode: st.floats(0, 1e9) for mode in COLUMNS})


def jiffies(processor: str = "cpu") -> list[int]:
    """A line of /proc/stat: user nice system idle iowait irq softirq steal …"""
    (line,) = [
        line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"{processor} ")
    ]
    return [int(field) for field in line.split()[1:9]]


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
    assert (samples["cpu_used_pct"] or 0) > 10


def test_the_first_look_already_has_an_answer() -> None:
    samples = Check(Options()).measure(0.0).samples
    assert samples["cpu_used_pct"] is not None
    assert 0 <= samples["cpu_used_pct"] <= 100


def test_what_it_was_busy_with_adds_up_to_how_busy_it_was() -> None:
    before = dict.fromkeys(COLUMNS, 0.0)
    now = dict(zip(COLUMNS, (30.0, 5, 10, 25, 20, 1, 2, 7), strict=True))
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
    same = dict.fromkeys(COLUMNS, 3.0)
    assert percentages(same, same) == {}


@given(before=times, now=times)
def test_a_percentage_stays_one_whatever_the_counters_do(
    before: dict[str, float], now: dict[str, float]
) -> None:
    assert all(value is not None and 0 <= value <= 100.001 for value in percentages(before, now).values())


def test_each_processor_agrees_with_its_own_line() -> None:
    check = Check(Options(per_core=True))
    check.measure(0.0)
    (core,) = {min(os.sched_getaffinity(0))}
    before = jiffies(f"cpu{core}")
    busy = subprocess.Popen(["taskset", "-c", str(core), "timeout", "0.6", "sh", "-c", "while :; do :; done"])
    busy.wait()
    samples = check.measure(1.0).samples
    spent = [now - then for now, then in zip(jiffies(f"cpu{core}"), before, strict=True)]
    used = 100 * (sum(spent) - spent[3] - spent[4]) / sum(spent)
    assert samples[f'cpu_core_used_pct{{core="{core}"}}'] == pytest.approx(used, abs=8)
    assert used > 40
    cores = [name for name in samples if name.startswith("cpu_core")]
    assert len(cores) == sum(line[:3] == "cpu" for line in Path("/proc/stat").read_text().splitlines()) - 1
    assert samples["cpu_used_pct"] is not None


def test_processors_are_told_one_by_one_only_on_request() -> None:
    assert not [name for name in Check(Options()).measure(0.0).samples if name.startswith("cpu_core")]


def test_a_processor_that_is_taken_out_of_use_does_not_shift_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr(cpu, "STAT", str(stat))
    check = Check(Options(per_core=True))
    stat.write_text(
        "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\ncpu2 0 0 0 0 0 0 0 0\n"
    )
    check.measure(0.0)
    stat.write_text(
        "cpu  40 0 0 160 0 0 0 0 0 0\ncpu0 10 0 0 90 0 0 0 0 0 0\ncpu2 30 0 0 70 0 0 0 0 0 0\nintr 1\n"
    )
    samples = check.measure(1.0).samples
    assert samples['cpu_core_used_pct{core="0"}'] == 10
    assert samples['cpu_core_used_pct{core="2"}'] == 30
    assert 'cpu_core_used_pct{core="1"}' not in samples
