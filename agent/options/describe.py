"""What may be written, in words: for the documentation, `watchkeeper-agent checks` and the tests of the example."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect as mi

from agent.options.keys import default_of, keys_of, struct_type
from agent.options.scalars import bare, is_secret, type_words
from agent.options.units import Unit


class OptionLine(msgspec.Struct, frozen=True):
    """One key that a person may write, in words."""

    key: str  # below a nested Struct limits.warning, in a list checks[].id, in a mapping services.NAME.goal
    type: str
    default: str | None  # as YAML; None where the key is required
    unit: str  # the units its value may be written in, or the one that its name ends in
    help: str


def describe(options: type[msgspec.Struct]) -> list[OptionLine]:
    """Every YAML key of a Struct and of the Structs in it, in the order of its fields.

    The help of a key is its `Meta(description=...)`, else the line 'key: help' in its Struct's docstring.
    """
    return list(_lines(struct_type(options), "", None, ()))


def _lines(
    struct: mi.StructType, prefix: str, instance: msgspec.Struct | None, above: tuple[type, ...]
) -> Iterator[OptionLine]:
    """The lines of `struct` under `prefix`; its defaults are those of `instance` where there is one."""
    above = (*above, struct.cls)
    for key, spec in keys_of(struct).items():
        if spec.is_file:
            continue
        field, unit = spec.field, spec.unit
        default = default_of(field) if instance is None else getattr(instance, field.name)
        required = field.required and instance is None
        nested = list(_nested(field.type, f"{prefix}{key}"))
        if not (nested and isinstance(bare(field.type), mi.StructType)):
            kind = type_words(field.type, unit) + (f", or {key}_file: PATH" if is_secret(field.type) else "")
            yield OptionLine(
                key=prefix + key,
                type=kind,
                default=None if required else _written(default, unit),
                unit=unit.written if unit else "%" if key.endswith("_pct") else "",
                help=_help(struct.cls, key, field.type),
            )
        for inner, inner_prefix in nested:
            if inner.cls not in above:
                below = default if isinstance(default, inner.cls) else None
                yield from _lines(inner, f"{inner_prefix}.", below, above)


def _nested(want: mi.Type, prefix: str) -> Iterator[tuple[mi.StructType, str]]:
    """The Structs with keys of their own in `want`, each with the path that leads there."""
    match bare(want):
        case mi.StructType() as struct:
            if struct.fields:
                yield struct, prefix
        case mi.UnionType(types=members):
            for member in members:
                yield from _nested(member, prefix)
        case mi.CollectionType(item_type=item):
            yield from _nested(item, f"{prefix}[]")
        case mi.DictType(value_type=item):
            yield from _nested(item, f"{prefix}.NAME")


_NEEDS_NO_QUOTES = re.compile(r"[\w./](?:[\w./@%+ -]|:(?! ))*(?<![ :])")


def _written(value: Any, unit: Unit | None) -> str:
    """A default as a person would write it."""
    plain = as_yaml(value, unit)
    if isinstance(plain, str) and _NEEDS_NO_QUOTES.fullmatch(plain):
        return plain
    return json.dumps(plain, ensure_ascii=False)


def as_yaml(value: Any, unit: Unit | None = None) -> Any:
    """A value as a person would write it, with its unit; a secret is masked."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return unit.say(value) if unit else value
        case msgspec.Struct():
            keys = {key: spec for key, spec in keys_of(struct_type(type(value))).items() if not spec.is_file}
            return {key: as_yaml(getattr(value, spec.field.name), spec.unit) for key, spec in keys.items()}
        case list() | tuple() | set() | frozenset():
            return [as_yaml(item, unit) for item in value]
        case dict():
            return {str(key): as_yaml(item, unit) for key, item in value.items()}
        case enum.Enum():
            return value.value
        case _:
            return str(value)


def _help(cls: type, key: str, want: mi.Type) -> str:
    if isinstance(want, mi.Metadata) and "description" in (want.extra_json_schema or {}):
        return str((want.extra_json_schema or {})["description"])
    docs = "\n".join(base.__doc__ or "" for base in cls.__mro__ if issubclass(base, msgspec.Struct))
    line = re.search(rf"^\s*{re.escape(key)}: +(.+)$", docs, re.MULTILINE)
    return line[1].strip() if line else ""
