"""Checks over the fleet: every one that an agent runs, how it stands, and how long its last answer took."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from collector.api.doors import AnyDoor, Door, Id
from collector.api.kept import SAMPLES
from collector.api.paging import Key, Page, Paged, page_of
from collector.api.views import moment, number
from collector.store import LatestValue, Samples, Store
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

    def doors(self) -> list[AnyDoor]:
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
    states, hosts, took = await asyncio.gather(
        store.samples.latest_of("check_state"), store.hosts.all(), _took(store.samples)
    )
    names = {host.id: host.name for host in hosts}
    return [_view(one, names.get(one.host, ""), took) for one in states]


async def _took(samples: Samples) -> dict[tuple[int, str], float]:
    """How long each check took last, by host and check."""
    found = await asyncio.gather(*map(samples.latest_of, TIMES))
    return {(one.host, labels_of(one.name).get("check", "")): one.value for some in found for one in some}


def _view(one: LatestValue, host: str, took: dict[tuple[int, str], float]) -> FleetCheck:
    labels = labels_of(one.name)
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


def labels_of(series: str) -> dict[str, str]:
    return Series.parse(series).labels


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
