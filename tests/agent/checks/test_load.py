from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.checks.load import Check, Options


def test_it_agrees_with_proc_loadavg() -> None:
    samples = Check(Options()).measure(0.0).samples
    told = [float(field) for field in Path("/proc/loadavg").read_text().split()[:3]]
    assert [samples["load1"], samples["load5"], samples["load15"]] == pytest.approx(told, abs=0.2)
    assert samples["load1_per_core"] == pytest.approx(told[0] / (os.cpu_count() or 1), abs=0.2)
