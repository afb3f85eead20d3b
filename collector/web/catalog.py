"""Which series of a host are drawn together, under which title, and which are left to the table of all series."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from collector.web.words import unit_of
from rules.histograms import ENDING
from rules.model import Series

SERIES_PER_CHART_MAX = 8
CHARTS_MAX = 24


class Plan(Struct, frozen=True):
    """A chart to be: series as (name, label), all in one unit."""

    title: str
    unit: str
    series: list[tuple[str, str]]


class _Kind(Struct, frozen=True):
    title: str
    metrics: Mapping[str, str]
    """What each metric is called in the chart; nothing where its labels say enough."""


_KINDS = (
    _Kind("CPU", {"cpu_used_pct": "used", "cpu_steal_pct": "steal"}),
    _Kind("Load", {"load1": "1 min", "load5": "5 min", "load15": "15 min"}),
    _Kind("Memory", {"memory_used_pct": "memory", "swap_used_pct": "swap"}),
    _Kind("Disk used", {"disk_used_pct": ""}),
    _Kind("Network", {"net_rx_bytes_per_s": "in", "net_tx_bytes_per_s": "out"}),
    _Kind("Response time", {"http_total_ms": ""}),
    _Kind("Connect time", {"tcp_connect_ms": ""}),
    _Kind(
        "Pressure: time that work waited",
        {
            "pressure_cpu_some_pct": "CPU",
            "pressure_memory_some_pct": "memory",
            "pressure_io_some_pct": "disk",
        },
    ),
    _Kind("Way to the collector and back", {"collector_rtt_ms": ""}),
)
_DRAWN = {metric for kind in _KINDS for metric in kind.metrics}
_ON_REQUEST = re.compile(
    r"(cpu|load|memory|swap|disk|net|pressure|agent|http|tcp|check|collector"
    r"|clock|conntrack|files|logins|oom|raid|systemd|updates|uptime|reboot)\d*_.*"
    r"|(processes|threads)(_.*)?"
)
"""The agent's own series beyond those above: known by number rather than by shape, so drawn when asked for."""


class Named(Struct, frozen=True):
    name: str
    metric: str
    labels: str


def read_names(names: Iterable[str]) -> list[Named]:
    """Series names taken apart; one that is written as no series is stands for itself."""
    found = []
    for name in names:
        try:
            series = Series.parse(name)
        except ValueError:
            found.append(Named(name, name, ""))
        else:
            found.append(Named(name, series.metric, " ".join(series.labels.values())))
    return found


def plans(names: Iterable[str], metric: str = "") -> list[Plan]:
    """The charts of a host with these series, in an order that people expect; with `metric`, of that one alone."""
    by_metric: dict[str, list[Named]] = {}
    for series in read_names(names):
        by_metric.setdefault(series.metric, []).append(series)
    if metric:
        kinds = [_Kind(metric, {metric: ""})]
    else:
        others = sorted(m for m in by_metric if m not in _DRAWN and not _ON_REQUEST.fullmatch(m))
        # Of a duration the percentiles are drawn, not the buckets that they are made of.
        others = [other for other in others if not other.endswith(ENDING)]
        kinds = [*_KINDS, *(_Kind(other, {other: ""}) for other in others)]
    found = [plan for kind in kinds for plan in _split(kind, by_metric)]
    return found[:CHARTS_MAX]


def _split(kind: _Kind, by_metric: Mapping[str, list[Named]]) -> list[Plan]:
    """One chart, or several of eight lines at most: more than that nobody tells apart."""
    series = [
        (each.name, " ".join(filter(None, (label, each.labels))) or kind.title)
        for metric, label in kind.metrics.items()
        for each in sorted(by_metric.get(metric, ()), key=lambda named: named.labels)
    ]
    pieces = [series[at : at + SERIES_PER_CHART_MAX] for at in range(0, len(series), SERIES_PER_CHART_MAX)]
    unit = unit_of(next(iter(kind.metrics)))
    if len(pieces) == 1:
        return [Plan(kind.title, unit, pieces[0])]
    return [
        Plan(f"{kind.title}, {at} of {len(pieces)}", unit, piece) for at, piece in enumerate(pieces, start=1)
    ]
