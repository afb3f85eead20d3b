"""What came of the pushes: how many were taken, how long that took, and why others were not."""

from __future__ import annotations

import math
from collections import Counter

from agent.wire import Problem, Refused, decode_problem, decode_results
from collector.cli.simulate.connection import Answer

SHORTEST_MS = 0.01
STEPS_PER_DOUBLING = 16
STEPS = 24 * STEPS_PER_DOUBLING
"""Up to 168 s, each 4.4 % longer than the one before: fine enough for a percentile, and of one size for ever."""
LATER = (429, 503)
REASONS_MAX = 20


class Latencies:
    def __init__(self) -> None:
        self.count = 0
        self._counts = [0] * STEPS

    def add(self, ms: float) -> None:
        step = int(math.log2(max(ms, SHORTEST_MS) / SHORTEST_MS) * STEPS_PER_DOUBLING)
        self._counts[min(step, STEPS - 1)] += 1
        self.count += 1

    def quantile_ms(self, share: float) -> float:
        """At most 4.4 % too long. 0 when there is nothing."""
        left = math.ceil(share * self.count)
        for step, count in enumerate(self._counts):
            left -= count
            if count and left <= 0:
                return SHORTEST_MS * math.exp2((step + 1) / STEPS_PER_DOUBLING)
        return 0.0


class Tally:
    """`put_off`: the collector said later; `refused`: it said no; `lost`: it said nothing; `left_out`: a host was due
    again before its last push was answered, as an agent's ticks are when it waits."""

    def __init__(self) -> None:
        self.taken = self.put_off = self.refused = self.lost = self.left_out = 0
        self.reasons: Counter[str] = Counter()
        self.latencies = Latencies()

    @property
    def all_well(self) -> bool:
        return self.taken > 0 and not (self.put_off or self.refused or self.lost)

    def answered(self, answer: Answer, took_ms: float) -> None:
        if answer.status == 200:
            self._results(answer.body, took_ms)
        elif answer.status in LATER:
            self.put_off += 1
            self._because(f"{answer.status} {_problem(answer.body)}")
        else:
            self.refused += 1
            self._because(f"{answer.status} {_problem(answer.body)}")

    def unanswered(self, why: str) -> None:
        self.lost += 1
        self._because(why)

    def _results(self, body: bytes, took_ms: float) -> None:
        try:
            (result,) = decode_results(body).results
        except ValueError:
            self.unanswered("an answer that no collector gives")
            return
        if result == "ok":
            self.taken += 1
            self.latencies.add(took_ms)
        elif isinstance(result, Refused):
            self.refused += 1
            self._because(result.refused)
        else:
            self.put_off += 1
            self._because("again")

    def _because(self, why: str) -> None:
        if why in self.reasons or len(self.reasons) < REASONS_MAX:
            self.reasons[why] += 1


def _problem(body: bytes) -> str:
    try:
        problem: Problem = decode_problem(body)
    except ValueError:
        return ""
    return f"{problem.code}: {problem.message}"
