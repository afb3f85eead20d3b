"""Values as rows: a column per field, in the order of the fields."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from types import NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from collector.stores.sqlite.many import Rows
from rules.model import Alert, CheckAnswer, Incident, Notice, RuleState, Transition

T = TypeVar("T", bound=Struct)
PLAIN = (int, float, str, bytes, NoneType)


class Table(Generic[T]):
    """How values of one type are kept in one table; what SQLite has no type for is kept as JSON.

    `names` is the list of columns, for a SELECT whose rows are then read by `value`. `write` adds rows; with a `key`
    a row takes the place of one that has the same.
    """

    def __init__(self, name: str, kind: type[T], key: Sequence[str] = ()) -> None:
        self.kind = kind
        fields = msgspec.structs.fields(kind)
        self._columns = [field.name for field in fields]
        self._pack: list[tuple[int, Callable[[Any], Any]]] = []
        self._unpack: list[tuple[int, Callable[[Any], Any]]] = []
        for place, field in enumerate(fields):
            if field.type is bool:
                self._unpack.append((place, bool))
            elif not _is_plain(field.type):
                self._pack.append((place, json_text))
                self._unpack.append((place, msgspec.json.Decoder(field.type).decode))
        self.names = ", ".join(f'{name}."{column}"' for column in self._columns)
        columns = ", ".join(f'"{column}"' for column in self._columns)
        changes = ", ".join(
            f'"{column}" = excluded."{column}"' for column in self._columns if column not in key
        )
        on_conflict = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}" if key else ""
        self._write = Rows(f"INSERT INTO {name} ({columns})", len(fields), on_conflict)

    def row(self, value: T) -> Sequence[Any]:
        row = msgspec.structs.astuple(value)
        if not self._pack:
            return row
        packed = list(row)
        for place, pack in self._pack:
            packed[place] = pack(packed[place])
        return packed

    def write(self, connection: sqlite3.Connection, values: Iterable[T]) -> None:
        self._write.write(connection, [self.row(value) for value in values])

    def value(self, row: Sequence[Any]) -> T:
        """The value in the first columns of a row."""
        unpacked = list(row[: len(self._columns)])
        for place, unpack in self._unpack:
            unpacked[place] = unpack(unpacked[place])
        return self.kind(*unpacked)


def json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _is_plain(kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType):
        return all(_is_plain(part) for part in get_args(kind))
    return kind in PLAIN or get_origin(kind) is Literal


ALERTS = Table("alerts", Alert, key=("id",))
CHECKS = Table("checks", CheckAnswer)
INCIDENTS = Table("incidents", Incident, key=("id",))
NOTICES = Table("notices", Notice)
STATES = Table("rule_states", RuleState, key=("rule", "subject"))
TRANSITIONS = Table("transitions", Transition)
