"""How many processes run or wait to run, on average over 1, 5 and 15 minutes."""

from __future__ import annotations

import os
from typing import ClassVar

from agent.checks import CheckOptions, Measured

SERIES = {
    "load1": "How many processes ran, waited to run or waited for disks, on average over 1 minute.",
    "load5": "How many processes ran, waited to run or waited for disks, on average over 5 minutes.",
    "load15": "How many processes ran, waited to run or waited for disks, on average over 15 minutes.",
    "load1_per_core": "load1 divided by the number of processors: above 1 there is more to do than can be done.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options) -> None:
        pass

    def measure(self, at_s: float) -> Measured:
        load1, load5, load15 = os.getloadavg()
        cores = os.cpu_count() or 1
        return Measured({"load1": load1, "load5": load5, "load15": load15, "load1_per_core": load1 / cores})
