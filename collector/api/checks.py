"""Checks over the fleet: every one that an agent runs, how it stands, and how long its last answer took."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from collector.api.doors import Door, Id
from collector.api.kept import SAMPLES
from collector.api.paging import Key, Page, Paged, page_of
from collector.api.views import moment, number
from collector.store import LatestValue, Store
from collector.who import Who
from rules.model import CheckState, Series

STATES: dict[float, CheckState] = {0.0: "ok", 1.0: "warn", 2.0: "bad"}
TIMES = ("http_total_ms", "tcp_connect_ms", "icmp_rtt_avg_ms")
RANK: dict[CheckState, int] = {"bad": 0, "warn": 1, "unknown": 2, "ok": 3}


class ChecksAsked(Paged, frozen=True, kw_only=True):
    """Which checks.

    host: only those that this host runs, by its number
    check: only those of that name
    kind: only those of that kind
    state: only those that stand so
    sort: by host and name, or the worst first
    """

    host: Id | None = None
    check: Annotated[str, Meta(max_length=200)] | None = None
    kind: Annotated[str, Meta(max_length=200)] | None = None
    state: CheckState | None = None
    sort: Literal["host", "state"] = "host"


class FleetCheck(Struct, frozen=True):
    """A check in the newest batch of its host, sampled at `at`. `ms` is how long its last answer took, where that is
    measured. What it said in words stands with its host."""

    host: int
    host_name: str
    check: str
    kind: str
    state: CheckState
    at: datetime
    ms: float | None


class Checks:
    def __init__(self, store: Store) -> None:
        self._store = store

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/checks", handler=self.search, needs="monitoring.read",
                summary="Every check of every host, and how it stands", query=ChecksAsked,
                answer=Page[FleetCheck], kept=lambda query: [SAMPLES],
            ),
        ]  # fmt: skip

    async def search(self, who: Who, asked: ChecksAsked, body: None) -> Page[FleetCheck]:
        views = [view for view in await fleet_checks(self._store) if _fits(view, asked)]
        return page_of(views, asked, _by_state if asked.sort == "state" else _by_host, lambda view: view)


async def fleet_checks(store: Store) -> list[FleetCheck]:
    """Every check in the newest batch of each host. StoreError."""
    states, hosts, times = await asyncio.gather(
        store.samples.latest_of("check_state"),
        store.hosts.all(),
        asyncio.gather(*map(store.samples.latest_of, TIMES)),
    )
    return await asyncio.to_thread(_views, states, {host.id: host.name for host in hosts}, times)


def _views(
    states: Sequence[LatestValue], names: Mapping[int, str], times: Sequence[Sequence[LatestValue]]
) -> list[FleetCheck]:
    labels = Labels()
    took = {(one.host, labels.of(one.name).get("check", "")): one.value for some in times for one in some}
    return [_view(one, names.get(one.host, ""), labels.of(one.name), took) for one in states]


class Labels:
    """The labels of series by name: hosts of a kind have them alike, so each is taken apart once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def of(self, series: str) -> dict[str, str]:
        found = self._known.get(series)
        if found is None:
            found = self._known[series] = Series.parse(series).labels
        return found


def _view(
    one: LatestValue, host: str, labels: Mapping[str, str], took: Mapping[tuple[int, str], float]
) -> FleetCheck:
    check = labels.get("check", "")
    ms = took.get((one.host, check))
    return FleetCheck(
        host=one.host,
        host_name=host,
        check=check,
        kind=labels.get("kind", ""),
        state=STATES.get(one.value, "unknown"),
        at=moment(one.at),
        ms=None if ms is None else number(ms),
    )


def _fits(view: FleetCheck, asked: ChecksAsked) -> bool:
    return (
        asked.host in (None, view.host)
        and asked.check in (None, view.check)
        and asked.kind in (None, view.kind)
        and asked.state in (None, view.state)
    )


def _by_host(view: FleetCheck) -> Key:
    return f"{view.host_name}\0{view.check}", view.host


def _by_state(view: FleetCheck) -> Key:
    return float(RANK[view.state]), f"{view.host_name}\0{view.check}"
