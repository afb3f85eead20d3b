"""Lists of series names, kept once each: a batch names the list it follows by a number."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import threading
from collections import OrderedDict
from collections.abc import Collection

import msgspec

from collector.stores.sqlite.columns import damaged

NAMES_MAX = 1_000_000
"""Series names that the writer knows by heart, and so the readers, over all layouts (few differ from each other): those
of 14,000 hosts of which no two have the same list."""
USE_NOTED_EVERY_MS = 3_600_000
KNOWN = "SELECT id, used_until, packed FROM layouts WHERE digest = ?"
NAMES_OF = "SELECT id, names FROM layouts WHERE id IN (SELECT value FROM json_each(?))"
NEW = "INSERT INTO layouts (digest, names, used_until, packed) VALUES (?, ?, 0, 0)"


class WrittenLayouts:
    """The number of a layout, for the writer's thread alone. A host with a new list of series in every batch makes
    this look things up in the table more often, but never grow.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], tuple[int, int, bool]] = OrderedDict()
        self._names = 0

    def clear(self) -> None:
        """What was learned in a transaction that came to nothing is not so."""
        self._known.clear()
        self._names = 0

    def number(
        self, connection: sqlite3.Connection, names: tuple[str, ...], at: int, *, packed: bool = False
    ) -> int:
        """Give a list of names its number, and note that a batch sampled at `at` uses it, or a block (`packed`)."""
        known = self._known.get(names)
        if known is None:
            known = self._look_up(connection, names)
            self._names += len(names)
        layout, used_until, was_packed = known
        if packed and not was_packed:
            connection.execute("UPDATE layouts SET packed = 1 WHERE id = ?", [layout])
        if at > used_until:
            used_until = at + USE_NOTED_EVERY_MS
            connection.execute("UPDATE layouts SET used_until = ? WHERE id = ?", [used_until, layout])
        self._known[names] = layout, used_until, packed or was_packed
        self._known.move_to_end(names)
        while self._names > NAMES_MAX and len(self._known) > 1:
            oldest, _ = self._known.popitem(last=False)
            self._names -= len(oldest)
        return layout

    def _look_up(self, connection: sqlite3.Connection, names: tuple[str, ...]) -> tuple[int, int, bool]:
        text = msgspec.json.encode(names)
        digest = hashlib.blake2b(text, digest_size=16).digest()
        row = connection.execute(KNOWN, [digest]).fetchone()
        if row is not None:
            return int(row[0]), int(row[1]), bool(row[2])
        cursor = connection.execute(NEW, [digest, text.decode()])
        assert cursor.lastrowid is not None
        return cursor.lastrowid, 0, False


class ReadLayouts:
    """The names behind a number, for all reading threads. Numbers are never given twice, so none goes stale."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[str, ...]] = OrderedDict()
        self._names = 0
        self._guard = threading.Lock()

    def names(self, connection: sqlite3.Connection, layout: int) -> tuple[str, ...]:
        with self._guard:
            known = self._known.get(layout)
            if known is not None:
                self._known.move_to_end(layout)
                return known
        return self.names_of(connection, [layout])[layout]

    def names_of(
        self, connection: sqlite3.Connection, layouts: Collection[int]
    ) -> dict[int, tuple[str, ...]]:
        """Those of many, in one question for all that are not known yet. StoreError when one is not there."""
        with self._guard:
            found = {layout: self._known[layout] for layout in layouts if layout in self._known}
        unknown = [layout for layout in layouts if layout not in found]
        for layout, text in connection.execute(NAMES_OF, [str(unknown)]) if unknown else ():
            found[layout] = tuple(map(sys.intern, msgspec.json.decode(text, type=list[str])))
        if missing := [layout for layout in unknown if layout not in found]:
            raise damaged(f"list {missing[0]} of series' names is missing")
        with self._guard:
            for layout in unknown:
                self._remember(layout, found[layout])
        return found

    def _remember(self, layout: int, names: tuple[str, ...]) -> None:
        if layout not in self._known:
            self._known[layout] = names
            self._names += len(names)
        while self._names > NAMES_MAX:
            _, oldest = self._known.popitem(last=False)
            self._names -= len(oldest)
