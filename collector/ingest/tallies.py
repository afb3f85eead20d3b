"""What the agents' door counts for /metrics.

Plain numbers, turned into metrics when somebody asks: these are touched at every push, where the locks of ordinary
counters would cost more than checking the token does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

LEFT_OUT = ("series", "names", "churn")
"""Why: more than a host may have, names that are none, lists that change all the time."""


class Tallies(Collector):
    """`whys` are the reasons for a refusal, so that each is shown before it is first given."""

    def __init__(self, whys: Iterable[str], bytes_at_work: Callable[[], int]) -> None:
        self.pushes = self.batches = self.samples = self.bytes = 0
        self.refused = dict.fromkeys(whys, 0)
        self.left_out = dict.fromkeys(LEFT_OUT, 0)
        self._bytes_at_work = bytes_at_work
        self._seconds = [0] * (len(BUCKETS_S) + 1)
        self._seconds_sum = 0.0

    def took(self, seconds: float) -> None:
        self._seconds[bisect_left(BUCKETS_S, seconds)] += 1
        self._seconds_sum += seconds

    def refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1

    def leave_out(self, flags: Iterable[str], samples: int) -> None:
        """Of a batch that is taken, what is not kept. Where there is more than one reason, each counts all of it."""
        for flag in flags:
            self.left_out[flag] += samples

    def collect(self) -> Iterator[Metric]:
        yield _counter("pushes", "Pushes read", self.pushes)
        yield _counter("batches", "Batches taken", self.batches)
        yield _counter("samples", "Samples taken", self.samples)
        yield _counter("bytes", "Bytes of pushes as they came over the network", self.bytes)
        refused = CounterMetricFamily(
            "watchkeeper_ingest_refused", "Pushes or batches not taken", labels=["why"]
        )
        for why, count in self.refused.items():
            refused.add_metric([why], count)
        yield refused
        left_out = CounterMetricFamily(
            "watchkeeper_ingest_left_out", "Samples left out of batches that were taken", labels=["why"]
        )
        for why, count in self.left_out.items():
            left_out.add_metric([why], count)
        yield left_out
        yield GaugeMetricFamily(
            "watchkeeper_ingest_bytes_at_work", "Bytes of pushes in memory", self._bytes_at_work()
        )
        limits = [*map(str, BUCKETS_S), "+Inf"]
        yield HistogramMetricFamily(
            "watchkeeper_ingest_seconds",
            "Time from a push's head until it is stored and answered",
            buckets=list(zip(limits, accumulate(self._seconds), strict=True)),
            sum_value=self._seconds_sum,
        )


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"watchkeeper_ingest_{name}", text, value)
