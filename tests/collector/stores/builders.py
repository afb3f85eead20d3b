"""Values for the tests of stores, each with as little said as the test needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from collector.store import DAY_MS, Keep, Store
from rules.model import Alert, Arrival, Host, Incident, Notice, Outcome, Reason, Transition

NOW = 1_800_000_000_000
TICK = 10_000
HOUR = 3_600_000
DAY = DAY_MS
SPOOL = "5" * 32


async def enrolled(store: Store, name: str = "alice") -> Host:
    return await store.hosts.enrol(name, {}, f"token-of-{name}", b"s" * 32, NOW)


def arrival(host: int, at: int, samples: Mapping[str, float] | None = None, **more: Any) -> Arrival:
    """A batch that was sent as soon as it was sampled, unless `more` says otherwise."""
    samples = {"load1": 1.0} if samples is None else samples
    given = {
        "spool": SPOOL,
        "seq": 0,
        "floor": 0,
        "arrived_at": at + 50,
        "every_ms": TICK,
        "skew_ms": 0,
        **more,
    }
    values = np.array(list(samples.values()), dtype=np.float64)
    return Arrival(host=host, at=at, layout=tuple(samples), values=values, **given)


def batch(host: int, at: int, samples: Mapping[str, float] | None = None, **more: Any) -> Outcome:
    return Outcome(arrival=arrival(host, at, samples, **more))


def incident(number: int, opened_at: int = NOW, resolved_at: int | None = None, **more: Any) -> Incident:
    return Incident(
        number, f"host:{number}", f"problem {number}", "warning", opened_at, resolved_at=resolved_at, **more
    )


def alert(number: int, of: int, host: int = 1, resolved_at: int | None = None, **more: Any) -> Alert:
    subject = f"host:{host}/series:load1"
    return Alert(
        number, "load", subject, host, "warning", NOW, NOW, "too much", of, resolved_at=resolved_at, **more
    )


def transition(at: int, of: int | None = None, **more: Any) -> Transition:
    return Transition("load", "host:1/series:load1", "ok", "firing", at, at + 50, alert=of, **more)


def notice(name: str, of: int = 1, channel: str = "mail", reason: Reason = "first", **more: Any) -> Notice:
    return Notice(name, of, channel, reason, "warning", "alice", f"title {name}", "text", NOW, NOW, **more)


async def owe(store: Store, *notices: Notice) -> None:
    """Keep notices, each with an incident to be about."""
    incidents = [incident(number) for number in sorted({notice.incident for notice in notices})]
    await store.commit([Outcome(incidents=incidents, notices=list(notices))])


def outcome_that_cannot_be_kept() -> Outcome:
    """A batch of a host that nobody enrolled."""
    return batch(host=987_654_321, at=NOW)


async def sealed(store: Store, now: int) -> None:
    """All that can be packed by `now` is."""
    while await store.seal(now):
        pass


async def forgotten(store: Store, keep: Keep, now: int) -> int:
    """All that has had its time is dropped; in how many pieces."""
    pieces = 1
    while await store.forget(keep, now):
        pieces += 1
    return pieces
