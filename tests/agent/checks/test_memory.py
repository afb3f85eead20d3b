from __future__ import annotations

from pathlib import Path

import pytest

from agent.checks.memory import Check, Options


def meminfo() -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {name.rstrip(":"): int(kib) * 1024 for name, kib, *_ in lines}


def test_it_agrees_with_proc_meminfo() -> None:
    samples, told = Check(Options()).measure(0.0).samples, meminfo()
    total, available = told["MemTotal"], told["MemAvailable"]
    assert samples["memory_total_bytes"] == total
    assert samples["memory_available_bytes"] == pytest.approx(available, abs=total * 0.01)
    assert samples["memory_used_bytes"] == pytest.approx(total - available, abs=total * 0.01)
    assert samples["memory_used_pct"] == pytest.approx(100 * (total - available) / total, abs=1)


def test_a_host_with_swap(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(
        "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    2000000 kB\n"
        "SwapCached:            7 kB\nSwapTotal:       1000000 kB\nSwapFree:         750000 kB\n"
    )
    assert Check(Options(), tmp_path / "meminfo").measure(0.0).samples == {
        "memory_used_pct": 75,
        "memory_used_bytes": 6_000_000 * 1024,
        "memory_available_bytes": 2_000_000 * 1024,
        "memory_total_bytes": 8_000_000 * 1024,
        "swap_used_pct": 25,
        "swap_used_bytes": 250_000 * 1024,
    }


def test_there_are_swap_series_only_where_there_is_swap() -> None:
    samples, told = Check(Options()).measure(0.0).samples, meminfo()
    if told["SwapTotal"]:
        used = told["SwapTotal"] - told["SwapFree"]
        assert samples["swap_used_bytes"] == pytest.approx(used, abs=told["SwapTotal"] * 0.01)
        assert samples["swap_used_pct"] == pytest.approx(100 * used / told["SwapTotal"], abs=1)
    else:
        assert not [name for name in samples if name.startswith("swap")]
