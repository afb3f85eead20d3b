"""What a person may write, and how it becomes values: units, secrets, kinds found in a folder, YAML into Structs.

A field of a Struct carries its unit in its name, the YAML key does not and its value does: `timeout_s: float` is
written `timeout: 5s`, `every_ms: int` is `every: 10s`, `spool_bytes_max: int` is `spool_max: 64MiB`. So the code
that uses a value cannot mistake its unit, and neither can the person who writes it.
"""

from __future__ import annotations

import enum
import importlib
import json
import pkgutil
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as mi

from agent.scalars import (
    NUMBERS,
    TEXTS,
    Secret,
    bare,
    expected,
    is_secret,
    mismatch,
    of_length,
    scalar,
    secret_file,
    text_of,
    type_words,
)
from agent.units import UNITS, Unit, duration_s, say_duration, say_size, size_bytes
from agent.yamlnode import (
    ConfigError,
    Node,
    child_path,
    nearest,
    overlay_environment,
    parse_yaml,
    quote,
    read_yaml,
)

__all__ = [
    "ConfigError",
    "Kind",
    "KindSet",
    "Node",
    "OptionLine",
    "Secret",
    "convert",
    "describe",
    "discover",
    "duration_s",
    "overlay_environment",
    "parse_yaml",
    "read_yaml",
    "say_duration",
    "say_size",
    "size_bytes",
]

T = TypeVar("T")

# Kinds ---------------------------------------------------------------------------------------------------------


class Kind(msgspec.Struct, frozen=True):
    """One kind of check, rule or channel: a module of its folder, which brings options and behaviour."""

    name: str
    help: str
    options: type[msgspec.Struct]
    module: types.ModuleType


class KindSet(msgspec.Struct, frozen=True):
    """The kinds one place of the YAML chooses from by its `kind` key, and the one meant where none is written."""

    kinds: dict[str, Kind]
    default: str | None = None


def discover(package: types.ModuleType) -> dict[str, Kind]:
    """Every public module of a package's folder, in name order. RuntimeError for one without `Options`."""
    kinds = {}
    for name in sorted(found.name for found in pkgutil.iter_modules(package.__path__)):
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{name}")
        options = getattr(module, "Options", None)
        if not (isinstance(options, type) and issubclass(options, msgspec.Struct)):
            wanted = "class Options(msgspec.Struct)"
            raise RuntimeError(  # noqa: TRY004 - a file in the wrong place, not an argument of the wrong type
                f"{module.__name__} is no kind: give it a {wanted} or a name that begins with '_'"
            )
        help_line = (module.__doc__ or "").strip().partition("\n")[0]
        kinds[name] = Kind(name=name, help=help_line, options=options, module=module)
    return kinds


# From YAML to Structs ------------------------------------------------------------------------------------------

_NO_KINDS: Mapping[type, KindSet] = types.MappingProxyType({})
_COLLECTIONS: Mapping[type[mi.Type], type] = types.MappingProxyType(
    {mi.ListType: list, mi.VarTupleType: tuple, mi.SetType: set, mi.FrozenSetType: frozenset}
)


def convert(node: Node, into: type[T], *, kinds: Mapping[type, KindSet] = _NO_KINDS) -> T:
    """`node` as a value of type `into`; the first mistake found is a ConfigError.

    Where a type is exactly a key of `kinds`, the `kind` written there picks the Struct to read. A Struct's own
    `__post_init__` may refuse with ValueError.
    """
    value: T = _value(node, mi.type_info(into), None, kinds)
    return value


def _value(node: Node, want: mi.Type, unit: Unit | None, kinds: Mapping[type, KindSet]) -> Any:
    cls: type = getattr(want, "cls", type(None))
    if cls in kinds:
        return _of_kind(node, kinds[cls], kinds)
    match want:
        case mi.Metadata():
            return _value(node, want.type, unit, kinds)
        case mi.UnionType():
            return _value(node, _member(node, want, unit, kinds), unit, kinds)
        case mi.StructType():
            return _struct(node, want, kinds)
        case mi.DictType():
            entries = {
                scalar(_key_node(key, child), want.key_type, None): _value(
                    child, want.value_type, unit, kinds
                )
                for key, child in node.entries().items()
            }
            return of_length(node, entries, want)
        case mi.CollectionType():
            items = [] if node.value is None else node.value
            if not isinstance(items, list):
                raise mismatch(node, want, unit)
            values = [_value(item, want.item_type, unit, kinds) for item in items]
            return of_length(node, _COLLECTIONS[type(want)](values), want)
        case mi.AnyType():
            return node.plain()
        case _:
            return scalar(node, want, unit)


def _key_node(key: str, child: Node) -> Node:
    return Node(value=key, text=key, file=child.file, line=child.line, path=child.path)


def _member(node: Node, want: mi.UnionType, unit: Unit | None, kinds: Mapping[type, KindSet]) -> mi.Type:
    """The member of a union that the shape of `node` asks for: null, a mapping, a list, a number or text."""
    members = sorted(map(bare, want.types), key=lambda member: isinstance(member, TEXTS))  # text fits all
    for member in members:
        if _fits(node, member, unit, kinds):
            return member
    likely = [member for member in members if not isinstance(member, mi.NoneType)]
    if len(likely) == 1:  # its own error says more than "expected this or null"
        return likely[0]
    raise mismatch(node, want, unit)


def _fits(node: Node, member: mi.Type, unit: Unit | None, kinds: Mapping[type, KindSet]) -> bool:
    match node.value:
        case None:
            return isinstance(member, mi.NoneType)
        case dict():
            return isinstance(member, mi.StructType | mi.DictType) or getattr(member, "cls", None) in kinds
        case list():
            return isinstance(member, mi.CollectionType)
        case bool():
            return isinstance(member, (mi.BoolType, *TEXTS))
        case int() | float():
            whole = isinstance(node.value, int)
            return isinstance(member, (mi.FloatType, *TEXTS)) or (whole and isinstance(member, mi.IntType))
        case str():
            return isinstance(member, TEXTS) or (unit is not None and isinstance(member, NUMBERS))


def _of_kind(node: Node, choice: KindSet, kinds: Mapping[type, KindSet]) -> Any:
    entries = dict(node.entries())
    written = entries.pop("kind", None)
    name = choice.default if written is None else text_of(written)
    if name is None:
        problem = f"required, but missing; allowed: {', '.join(sorted(choice.kinds))}"
        raise ConfigError(node.file, node.line, child_path(node.path, "kind"), problem)
    if name not in choice.kinds:
        raise (written or node).error(f"unknown kind {quote(name)}; {nearest(name, choice.kinds)}")
    options = mi.type_info(choice.kinds[name].options)
    assert isinstance(options, mi.StructType)
    return _struct(msgspec.structs.replace(node, value=entries), options, kinds, beside=("kind",))


def _struct(
    node: Node, want: mi.StructType, kinds: Mapping[type, KindSet], *, beside: tuple[str, ...] = ()
) -> Any:
    """`node` as an instance of `want`; `beside` are keys that are allowed and were read already."""
    keys = _keys(want)
    values: dict[str, Any] = {}
    for name, child in _one_source(node.only(*keys, *beside).entries(), keys).items():
        key = keys[name]
        value = secret_file(child) if key.is_file else _value(child, key.field.type, key.unit, kinds)
        values[key.field.name] = value
    for name, key in keys.items():
        if key.field.required and key.field.name not in values:
            problem = f"required, but missing; expected {expected(key.field.type, key.unit)}"
            raise ConfigError(node.file, node.line, child_path(node.path, name), problem)
    try:
        return want.cls(**values)
    except ValueError as error:
        raise node.error(str(error)) from None


class _Key(msgspec.Struct, frozen=True):
    """One key that a person may write for a field."""

    field: mi.Field
    unit: Unit | None = None
    is_file: bool = False  # token_file: the value stands in a file


# timeout_s, latency_ms_max, spool_bytes_max; but rx_bytes_per_s counts neither seconds nor bytes.
_UNIT_IN_NAME = re.compile(r"(.+)(?<!_per)_(s|ms|bytes)(_max|_min)?")


def _keys(struct: mi.StructType) -> dict[str, _Key]:
    keys: dict[str, _Key] = {}
    for field in struct.fields:
        name = field.encode_name
        with_unit = _UNIT_IN_NAME.fullmatch(name) if _counts(field.type) else None
        if with_unit:
            before, unit, bound = with_unit.groups(default="")
            keys[before + bound] = _Key(field, UNITS[unit])
            continue
        keys[name] = _Key(field)
        if is_secret(field.type):
            keys[f"{name}_file"] = _Key(field, is_file=True)
    return keys


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


def _one_source(entries: Mapping[str, Node], keys: Mapping[str, _Key]) -> dict[str, Node]:
    """`entries` with each secret once: the environment's hides the file's, whichever of its two keys is used."""
    chosen = dict(entries)
    for file_key in (name for name, key in keys.items() if key.is_file and name in entries):
        key = file_key.removesuffix("_file")
        if key not in entries:
            continue
        if (entries[key].line is None) == (entries[file_key].line is None):
            raise entries[file_key].error(f"{key} and {file_key} are both given; keep one")
        del chosen[key if entries[file_key].line is None else file_key]
    return chosen


# For documentation, --help and the tests of the example ---------------------------------------------------------


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
    struct = mi.type_info(options)
    assert isinstance(struct, mi.StructType)
    return list(_lines(struct, "", None, ()))


def _lines(
    struct: mi.StructType, prefix: str, instance: msgspec.Struct | None, above: tuple[type, ...]
) -> Iterator[OptionLine]:
    """The lines of `struct` under `prefix`; its defaults are those of `instance` where there is one."""
    for key, spec in _keys(struct).items():
        if spec.is_file:
            continue
        field, unit = spec.field, spec.unit
        default, required = _default(field, instance)
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
                yield from _lines(inner, f"{inner_prefix}.", below, (*above, struct.cls, inner.cls))


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


def _default(field: mi.Field, instance: msgspec.Struct | None) -> tuple[Any, bool]:
    """The default of a field, and whether it has none."""
    if instance is not None:
        return getattr(instance, field.name), False
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory(), False
    return field.default, field.required


def _written(value: Any, unit: Unit | None) -> str:
    """A default as a person would write it."""
    plain = _as_yaml(value, unit)
    if isinstance(plain, str) and plain and plain == plain.strip():
        return plain
    return json.dumps(plain, ensure_ascii=False)


def _as_yaml(value: Any, unit: Unit | None) -> Any:
    match value:
        case bool() | None:
            return value
        case int() | float():
            return unit.say(value) if unit else value
        case msgspec.Struct():
            struct = mi.type_info(type(value))
            assert isinstance(struct, mi.StructType)
            keys = {key: spec for key, spec in _keys(struct).items() if not spec.is_file}
            return {key: _as_yaml(getattr(value, spec.field.name), spec.unit) for key, spec in keys.items()}
        case list() | tuple() | set() | frozenset():
            return [_as_yaml(item, unit) for item in value]
        case dict():
            return {str(key): _as_yaml(item, unit) for key, item in value.items()}
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
