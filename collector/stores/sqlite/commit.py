"""What follows from a batch or a tick, written down: the hot path, so plain SQL and many rows at a time."""

from __future__ import annotations

import array
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from collector.stores.sqlite.layouts import WrittenLayouts
from collector.stores.sqlite.many import Rows
from collector.stores.sqlite.promised import note_late
from collector.stores.sqlite.remarks import REMARKS
from collector.stores.sqlite.tables import ALERTS, CHECKS, INCIDENTS, NOTICES, STATES, TRANSITIONS, json_text
from collector.stores.sqlite.written import Written
from rules.memory.seen import Seen
from rules.model import Arrival, Host, Outcome

BATCHES = Rows("INSERT INTO batches (id, host, at, arrived_at, every_ms, layout, samples)", 7)
STANDS = """
    SELECT coalesce(max(id), 0), (SELECT json_group_array(id) FROM hosts WHERE removed) FROM batches
"""
COUNT = "UPDATE meta SET value = value + ? WHERE key = 'batches'"
HOST = """
    UPDATE hosts SET labels = ?2, facts = ?3, own_labels = ?4, facts_at = ?5
    WHERE id = ?1 AND (labels <> ?2 OR facts <> ?3 OR own_labels <> ?4 OR facts_at <> ?5)
"""


def _heard_rows(takes_over: str, arrived_at: str) -> Rows:
    """`takes_over` is when a batch becomes the newest of its host."""
    columns = ("last_at", "every_ms", "skew_ms", "flags", "batch")
    return Rows(
        "INSERT INTO heard (host, arrived_at, last_at, every_ms, skew_ms, flags, batch)",
        7,
        f"ON CONFLICT (host) DO UPDATE SET arrived_at = {arrived_at}, "
        + ", ".join(f"{column} = iif({takes_over}, excluded.{column}, {column})" for column in columns),
    )


HEARD = {
    True: _heard_rows("TRUE", "excluded.arrived_at"),
    False: _heard_rows("excluded.last_at >= last_at", "max(arrived_at, excluded.arrived_at)"),
}
"""By whether the judge calls the batch its host's newest: that holds even if times go back, once the collector's clock
was set back. Others go only forward: a late batch replaces nothing of the newest."""
HEARD_OF = """
    UPDATE heard SET every_ms = ?2, skew_ms = ?3, flags = ?4, arrived_at = ?5 WHERE host = ?1
"""
SEEN = Rows(
    "INSERT INTO seen (host, spool, below, ranges, arrived_at)",
    5,
    """
    ON CONFLICT (host, spool) DO UPDATE SET
        below = excluded.below, ranges = excluded.ranges, arrived_at = max(arrived_at, excluded.arrived_at)
    """,
)
CHECKS_OF_HOSTS = Rows(
    f"INSERT INTO checks (host, {', '.join(CHECKS.kind.__struct_fields__)})",
    7,
    """
    ON CONFLICT (host, id) DO UPDATE SET
        kind = excluded.kind, state = excluded.state, at = excluded.at, ms = excluded.ms, detail = excluded.detail
    WHERE excluded.at >= checks.at
    """,
)
PACKED = np.dtype("<f8")
FORGET_STATES = Rows("DELETE FROM rule_states WHERE (rule, subject) IN (", 2, ")")


def keep(connection: sqlite3.Connection, outcomes: Sequence[Outcome], written: Written) -> None:
    """Write all that follows from `outcomes`, in their order, within the caller's transaction."""
    last, removed = connection.execute(STANDS).fetchone()
    there = outcomes if removed == "[]" else _of_others(outcomes, msgspec.json.decode(removed))
    _keep_batches(connection, there, last, written.layouts)
    _keep_hosts(connection, there, written)
    _keep_seen(connection, there)
    _keep_checks(connection, there)
    _keep_judgement(connection, outcomes)
    note_late(connection, outcomes)


def _of_others(outcomes: Sequence[Outcome], removed: Sequence[int]) -> Sequence[Outcome]:
    """Another process may have removed a host while its batch was on its way. Its alerts end all the same."""
    return [outcome for outcome in outcomes if _host_of(outcome) not in removed]


def _host_of(outcome: Outcome) -> int | None:
    of = outcome.arrival.host if outcome.arrival is not None else None
    return outcome.host.id if of is None and outcome.host is not None else of


def _keep_batches(
    connection: sqlite3.Connection, outcomes: Sequence[Outcome], last: int, layouts: WrittenLayouts
) -> None:
    """`last` is the number of the newest batch there is."""
    numbers = _layouts(connection, outcomes, layouts)
    batches: list[Sequence[Any]] = []
    heard: list[tuple[bool, list[Sequence[Any]]]] = []
    for outcome in outcomes:
        arrival, host = outcome.arrival, outcome.host
        if arrival is not None:
            number = last + len(batches) + 1
            batches.append(_batch(number, arrival, numbers[id(arrival.layout)]))
            is_newest = host is not None and host.last_at == arrival.at
            if not heard or heard[-1][0] != is_newest:
                heard.append((is_newest, []))
            heard[-1][1].append(_heard(number, arrival, host))
    BATCHES.write(connection, batches)
    connection.execute(COUNT, [len(batches)])
    for is_newest, rows in heard:
        HEARD[is_newest].write(connection, rows)


def _layouts(
    connection: sqlite3.Connection, outcomes: Sequence[Outcome], layouts: WrittenLayouts
) -> dict[int, int]:
    """The number of each list of names, by the id of the very tuple: many batches share it, and looking it up by what
    is in it takes longer than packing the samples."""
    used: dict[int, tuple[tuple[str, ...], int]] = {}
    for outcome in outcomes:
        if (arrival := outcome.arrival) is not None:
            at = max(arrival.at, arrival.arrived_at)  # a late batch waits to be packed like any other
            before = used.get(id(arrival.layout))
            if before is None or before[1] < at:
                used[id(arrival.layout)] = arrival.layout, at
    return {which: layouts.number(connection, names, at) for which, (names, at) in used.items()}


def _keep_hosts(connection: sqlite3.Connection, outcomes: Sequence[Outcome], written: Written) -> None:
    newest = {host.id: (host, outcome) for outcome in outcomes if (host := outcome.host) is not None}
    for host, outcome in newest.values():
        if written.take(host):
            labels, facts, own_labels = map(json_text, (host.labels, host.facts, host.own_labels))
            connection.execute(HOST, (host.id, labels, facts, own_labels, host.facts_at))
        if outcome.arrival is None:
            flags = json_text(host.flags)
            connection.execute(HEARD_OF, (host.id, host.every_ms, host.skew_ms, flags, host.arrived_at or 0))


def _batch(number: int, arrival: Arrival, layout: int) -> Sequence[Any]:
    samples = pack_samples(arrival.values, len(arrival.layout))
    return number, arrival.host, arrival.at, arrival.arrived_at, arrival.every_ms, layout, samples


def _heard(number: int, arrival: Arrival, host: Host | None) -> Sequence[Any]:
    said: Host | Arrival = arrival if host is None else host
    flags = json_text(said.flags) if said.flags else "[]"
    heard_at = said.arrived_at or arrival.arrived_at
    return arrival.host, heard_at, arrival.at, said.every_ms, said.skew_ms, flags, number


def _keep_seen(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    newest: dict[tuple[int, str], tuple[Seen, int]] = {}
    for outcome in outcomes:
        if (seen := outcome.seen) is not None:
            newest[seen.host, seen.spool] = seen, outcome.arrival.arrived_at if outcome.arrival else 0
    SEEN.write(
        connection,
        [
            (seen.host, seen.spool, seen.below, pack_ranges(seen.ranges), arrived_at)
            for seen, arrived_at in newest.values()
        ],
    )


def _keep_checks(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    rows = [
        (outcome.arrival.host, *CHECKS.row(check))
        for outcome in outcomes
        if outcome.arrival is not None
        for check in outcome.checks
    ]
    CHECKS_OF_HOSTS.write(connection, rows)


def _keep_judgement(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    """In an order in which nothing is named before it is there. Of one thing's versions only the last is written."""
    incidents = {incident.id: incident for outcome in outcomes for incident in outcome.incidents}
    alerts = {alert.id: alert for outcome in outcomes for alert in outcome.alerts}
    states = {(state.rule, state.subject): state for outcome in outcomes for state in outcome.states}
    plainly_ok = {key for key, state in states.items() if state.state == "ok" and state.alert is None}
    transitions = [transition for outcome in outcomes for transition in outcome.transitions]
    notices = [notice for outcome in outcomes for notice in outcome.notices]
    remarks = [remark for outcome in outcomes for remark in outcome.remarks]
    INCIDENTS.write(connection, incidents.values())
    ALERTS.write(connection, alerts.values())
    FORGET_STATES.write(connection, list(plainly_ok))
    STATES.write(connection, [state for key, state in states.items() if key not in plainly_ok])
    TRANSITIONS.write(connection, transitions)
    NOTICES.write(connection, notices)
    REMARKS.write(connection, remarks)


# --- packing: little endian, eight bytes a number ---------------------------------------------------------------------


def pack_samples(values: npt.NDArray[np.float64], count: int) -> bytes:
    if values.shape != (count,):
        raise ValueError(f"a batch names {count} series and brings values of shape {values.shape}")
    return values.astype(PACKED, copy=False).tobytes()


def unpack_samples(samples: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(samples, dtype=PACKED).astype(np.float64, copy=False)


def pack_ranges(ranges: Sequence[tuple[int, int]]) -> bytes:
    if not ranges:
        return b""
    numbers = array.array("q", [number for pair in ranges for number in pair])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack_ranges(packed: bytes) -> list[tuple[int, int]]:
    numbers = array.array("q", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return list(zip(numbers[::2], numbers[1::2], strict=True))
