"""Which keys a person may write for the fields of a Struct: with the unit in the value instead of the name."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import inspect as mi

from agent.options.scalars import bare, is_secret
from agent.options.units import UNITS, Unit


class Key(msgspec.Struct, frozen=True):
    """One key that a person may write for a field."""

    field: mi.Field
    unit: Unit | None = None
    is_file: bool = False  # token_file: the value stands in a file


# timeout_s, latency_ms_max, spool_bytes_max; but rx_bytes_per_s counts neither seconds nor bytes.
_UNIT_IN_NAME = re.compile(r"(.+)(?<!_per)_(s|ms|bytes)(_max|_min)?")


def keys_of(struct: mi.StructType) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    for field in struct.fields:
        name = field.encode_name
        if _counts(field.type) and (with_unit := _UNIT_IN_NAME.fullmatch(name)):
            before, unit, bound = with_unit.groups(default="")
            keys[before + bound] = Key(field, UNITS[unit])
        else:
            keys[name] = Key(field)
        if is_secret(field.type):
            keys[f"{name}_file"] = Key(field, is_file=True)
    return keys


def struct_type(cls: type) -> mi.StructType:
    found = mi.type_info(cls)
    assert isinstance(found, mi.StructType)
    return found


def default_of(field: mi.Field) -> Any:
    """The default of a field; None where it has none."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default


def _counts(want: mi.Type) -> bool:
    match bare(want):
        case mi.IntType() | mi.FloatType():
            return True
        case mi.UnionType(types=members):
            return any(map(_counts, members))
        case mi.CollectionType(item_type=item) | mi.DictType(value_type=item):
            return _counts(item)
        case _:
            return False
