"""What has had its time is dropped, a piece at a time; when room is short, what is oldest goes before its time.

Samples go once their day is summed up, and so only after they were packed: a batch waits some two hours for that.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence

from collector.store import DAY_MS, LIST_MAX, Keep
from collector.stores.sqlite import leaving, promised
from collector.stores.sqlite.fresh import INDEX, SPAN, SPAN_MS, WAITING
from collector.stores.sqlite.ranges import HOUR_MS
from collector.stores.sqlite.room import Room
from collector.stores.sqlite.steps import SAMPLES_FROM
from collector.stores.sqlite.written import Written

log = logging.getLogger(__name__)

BLOCKS_AT_ONCE = 100
DAYS_AT_ONCE = 20
INCIDENTS_AT_ONCE = 20
TRANSITIONS_AT_ONCE = 500
FOLLOWED_MAX = 10_000
ARRIVED_MARGIN_MS = 3_600_000
"""Batches are numbered as they came, but for what the clock was set by meanwhile."""

OLD_BLOCKS = "SELECT id, count FROM blocks WHERE summed_up AND start < ? ORDER BY start LIMIT ?"
OLDEST_BLOCK = "SELECT min(start) FROM blocks WHERE summed_up"
FORGET_BLOCKS = "DELETE FROM blocks WHERE id IN (SELECT value FROM json_each(?))"
FORGET_DAYS = "DELETE FROM days WHERE id IN (SELECT id FROM days WHERE start < ? ORDER BY start LIMIT ?)"
OLD_INCIDENTS = """
    SELECT id FROM incidents WHERE resolved_at IS NOT NULL AND resolved_at < ?1
    AND NOT EXISTS (
        SELECT 1 FROM alerts JOIN transitions ON transitions.alert = alerts.id
        WHERE alerts.incident = incidents.id AND transitions.recorded_at >= ?1
    )
    AND NOT EXISTS (
        SELECT 1 FROM alerts JOIN rule_states ON rule_states.alert = alerts.id WHERE alerts.incident = incidents.id
    )
    ORDER BY resolved_at LIMIT ?2
"""
OF_INCIDENTS = "(SELECT value FROM json_each(?))"
FORGET_INCIDENTS = (
    f"DELETE FROM transitions WHERE alert IN (SELECT id FROM alerts WHERE incident IN {OF_INCIDENTS})",
    f"DELETE FROM notices WHERE incident IN {OF_INCIDENTS}",
    f"DELETE FROM alerts WHERE incident IN {OF_INCIDENTS}",
    f"DELETE FROM incidents WHERE id IN {OF_INCIDENTS}",
)
FORGET_TRANSITIONS = """
    DELETE FROM transitions WHERE id IN (
        SELECT id FROM transitions WHERE alert IS NULL AND recorded_at < ? ORDER BY recorded_at LIMIT ?
    )
"""
OLDEST_WAITING = f"""
    SELECT * FROM (
        SELECT arrived_at - {ARRIVED_MARGIN_MS} AS use FROM batches
        WHERE id NOT IN (SELECT batch FROM heard) ORDER BY id LIMIT 1
    )
"""
# What may still be followed: by a block, or by a batch that waits to be packed.
OLDEST_USE = f"SELECT min(use) FROM (SELECT min(start) AS use FROM blocks UNION ALL {OLDEST_WAITING})"
NOT_OF_A_NEWEST = "id NOT IN (SELECT layout FROM heard JOIN batches ON batches.id = heard.batch)"
UNUSED = f"SELECT id, used_until FROM layouts WHERE used_until < ? AND {NOT_OF_A_NEWEST} LIMIT ?"
UNUSED_OF_BATCHES = f"""
    SELECT id, used_until FROM layouts WHERE NOT packed AND used_until < ? AND {NOT_OF_A_NEWEST} LIMIT ?
"""
# Those of all that waits to be packed and was sampled until then.
FOLLOWED = f"""
    SELECT layout FROM batches INDEXED BY {INDEX}
    WHERE {SPAN} >= ({WAITING}) / {SPAN_MS} AND {SPAN} <= ? / {SPAN_MS} LIMIT ?
"""
FORGET_LAYOUTS = "DELETE FROM layouts WHERE id IN (SELECT value FROM json_each(?))"
# Only forward, unless it lies in the future: then the clock was wrong for a while.
MOVE_ON = "UPDATE meta SET value = iif(value > ?3, ?1, max(value, ?1)) WHERE key = ?2"


def forget(connection: sqlite3.Connection, keep: Keep, now: int, room: Room, written: Written) -> bool:
    """One piece, within the caller's transaction. False when there is no more to drop now."""
    if room.short_since is not None and now - keep.samples_ms >= room.short_since:
        room.short_since = None  # what went early would have gone by now
    kinds: Sequence[Callable[[], bool]] = (
        lambda: _forget_samples(connection, now - keep.samples_ms, now),
        lambda: _forget_days(connection, now - keep.rollups_ms),
        lambda: _forget_history(connection, now - keep.history_ms, now),
        lambda: leaving.forget(connection, written),
        lambda: promised.forget(connection, now - keep.history_ms),
        lambda: _make_room(connection, room, now),
        lambda: _forget_layouts(connection, now - keep.samples_ms, now, written),
    )
    return any(kind() for kind in kinds)


def _forget_samples(connection: sqlite3.Connection, before: int, now: int) -> bool:
    """Blocks that begin before the hour of `before`, or before what was dropped already for want of room."""
    connection.execute(MOVE_ON, [before // HOUR_MS * HOUR_MS, "samples_from", now])
    (samples_from,) = connection.execute(SAMPLES_FROM).fetchone()
    old = connection.execute(OLD_BLOCKS, [samples_from, BLOCKS_AT_ONCE]).fetchall()
    connection.execute(FORGET_BLOCKS, [str([number for number, _ in old])])
    batches = sum(count for _, count in old)
    connection.execute("UPDATE meta SET value = value - ? WHERE key = 'batches'", [batches])
    return len(old) == BLOCKS_AT_ONCE


def _forget_days(connection: sqlite3.Connection, before: int) -> bool:
    start = before // DAY_MS * DAY_MS
    return connection.execute(FORGET_DAYS, [start, DAYS_AT_ONCE]).rowcount == DAYS_AT_ONCE


def _forget_history(connection: sqlite3.Connection, before: int, now: int) -> bool:
    """First the word that it may go, in the same transaction: without it the table lets no transition be removed."""
    connection.execute(MOVE_ON, [before, "history_from", now])
    old = [number for (number,) in connection.execute(OLD_INCIDENTS, [before, INCIDENTS_AT_ONCE])]
    for statement in FORGET_INCIDENTS if old else ():
        connection.execute(statement, [str(old)])
    loose = connection.execute(FORGET_TRANSITIONS, [before, TRANSITIONS_AT_ONCE]).rowcount
    return len(old) == INCIDENTS_AT_ONCE or loose == TRANSITIONS_AT_ONCE


def _make_room(connection: sqlite3.Connection, room: Room, now: int) -> bool:
    """An hour of samples of all hosts, or else some days; False when there is room enough, or nothing left to drop."""
    if not room.is_short(connection):
        return False
    (oldest,) = connection.execute(OLDEST_BLOCK).fetchone()
    if oldest is None:
        return connection.execute(FORGET_DAYS, [2**62, DAYS_AT_ONCE]).rowcount > 0
    if room.short_since is None:
        log.warning(
            "The store is as large as disk_budget lets it be: samples go before they are as old as `keep`."
        )
    room.short_since = oldest + HOUR_MS
    _forget_samples(connection, oldest + HOUR_MS, now)
    return True


def _forget_layouts(connection: sqlite3.Connection, before: int, now: int, written: Written) -> bool:
    """Lists of names that nothing follows: of those that only batches did, all once these are packed."""
    (oldest_use,) = connection.execute(OLDEST_USE).fetchone()
    waiting = connection.execute(OLDEST_WAITING).fetchone()
    unused = before if oldest_use is None else min(before, oldest_use)
    dropped = _drop_layouts(connection, UNUSED, unused)
    of_batches = now - ARRIVED_MARGIN_MS if waiting is None else min(waiting[0], now - ARRIVED_MARGIN_MS)
    dropped_of_batches = _drop_layouts(connection, UNUSED_OF_BATCHES, of_batches)
    if dropped or dropped_of_batches:
        written.clear()
    return LIST_MAX in (dropped, dropped_of_batches)


def _drop_layouts(connection: sqlite3.Connection, query: str, before: int) -> int:
    """How many went. What came while the clock was behind looks older than what came before it, and may wait yet; so
    it is seen what waits from the time of these, unless that is much: then they go when it is packed."""
    used_until = dict(connection.execute(query, [before, LIST_MAX]).fetchall())
    if not used_until:
        return 0
    waiting = connection.execute(FOLLOWED, [max(used_until.values()), FOLLOWED_MAX + 1]).fetchall()
    if len(waiting) > FOLLOWED_MAX:
        return 0
    unused = used_until.keys() - {layout for (layout,) in waiting}
    return connection.execute(FORGET_LAYOUTS, [str(list(unused))]).rowcount
