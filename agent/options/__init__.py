"""What a person may write, and how it becomes values: units, secrets, kinds found in a folder, YAML into Structs.

A field of a Struct carries its unit in its name, the YAML key does not and its value does: `timeout_s: float` is
written `timeout: 5s`, `every_ms: int` is `every: 10s`, `spool_bytes_max: int` is `spool_max: 64MiB`. So the code
that uses a value cannot mistake its unit, and neither can the person who writes it.
"""

from __future__ import annotations

import enum
import importlib
import json
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as mi

from agent.options.scalars import (
    NUMBERS,
    TEXTS,
    Secret,
    bare,
    expected,
    is_secret,
    mismatch,
    missing,
    of_length,
    scalar,
    secret_file,
    text_of,
    type_words,
)
from agent.options.units import UNITS, Unit, duration_s, say_duration, say_size, size_bytes
from agent.options.yamlnode import (
    ConfigError,
    Node,
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
    for name in _public_modules(package):
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


def _public_modules(package: types.ModuleType) -> list[str]:
    # pkgutil would do the same, but imports `inspect` for it, which costs the agent a megabyte.
    entries = [entry for folder in package.__path__ for entry in Path(folder).iterdir()]
    files = {entry.stem for entry in entries if entry.suffix == ".py"}
    folders = {entry.name for entry in entries if (entry / "__init__.py").is_file()}
    return sorted(name for name in files | folders if name.isidentifier() and not name.startswith("_"))


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
    value: T = _Converter(kinds).value(node, mi.type_info(into))
    return value


class _Converter:
    """Walks the nodes and the types side by side."""

    def __init__(self, kinds: Mapping[type, KindSet]) -> None:
        self.kinds = kinds

    def value(self, node: Node, want: mi.Type, unit: Unit | None = None, default: Any = None) -> Any:
        """`node` as `want`; `default` is what would be there if nothing were written."""
        match want:
            case mi.Metadata():
                return self.value(node, want.type, unit, default)
            case mi.UnionType():
                return self.value(node, self.member(node, want, unit), unit, default)
            case mi.StructType(cls=cls) | mi.CustomType(cls=cls) if cls in self.kinds:
                return self.of_kind(node, self.kinds[cls])
            case mi.StructType():
                return self.struct(node, want, default=default)
            case mi.DictType():
                return of_length(node, self.mapping(node, want, unit), want)
            case mi.CollectionType():
                items = (self.value(item, want.item_type, unit) for item in node.items())
                return of_length(node, _COLLECTIONS[type(want)](items), want)
            case mi.AnyType():
                return node.plain()
            case _:
                return scalar(node, want, unit)

    def mapping(self, node: Node, want: mi.DictType, unit: Unit | None) -> dict[Any, Any]:
        values = {}
        for text, child in node.entries().items():
            key = Node(value=text, text=text, file=child.file, line=child.line, path=child.path)
            values[scalar(key, want.key_type, None)] = self.value(child, want.value_type, unit)
        return values

    def member(self, node: Node, want: mi.UnionType, unit: Unit | None) -> mi.Type:
        """The member of a union that the shape of `node` asks for: null, a mapping, a list, a number or text."""
        members = sorted(map(bare, want.types), key=lambda member: isinstance(member, TEXTS))  # text fits all
        for member in members:
            if self.fits(node, member, unit):
                return member
        likely = [member for member in members if not isinstance(member, mi.NoneType)]
        if len(likely) == 1:  # its own error says more
            return likely[0]
        raise mismatch(node, want, unit)

    def fits(self, node: Node, member: mi.Type, unit: Unit | None) -> bool:
        match node.value:
            case None:
                return isinstance(member, mi.NoneType)
            case dict():
                a_kind = getattr(member, "cls", None) in self.kinds
                return a_kind or isinstance(member, mi.StructType | mi.DictType)
            case list():
                return isinstance(member, mi.CollectionType)
            case bool() if isinstance(member, mi.BoolType):
                return True
            case int() if isinstance(member, NUMBERS) and not isinstance(node.value, bool):
                return True
            case float() if isinstance(member, mi.FloatType):
                return True
            case _ if isinstance(member, mi.LiteralType):
                return node.text in map(str, member.values)
            case _:
                return isinstance(member, TEXTS) or (unit is not None and isinstance(member, NUMBERS))

    def of_kind(self, node: Node, choice: KindSet) -> Any:
        entries = dict(node.entries())
        written = entries.pop("kind", None)
        name = choice.default if written is None else text_of(written)
        if name is None:
            raise missing(node, "kind", f"allowed: {', '.join(sorted(choice.kinds))}")
        if name not in choice.kinds:
            raise (written or node).error(f"unknown kind {quote(name)}; {nearest(name, choice.kinds)}")
        options = _struct_type(choice.kinds[name].options)
        return self.struct(msgspec.structs.replace(node, value=entries), options, beside=("kind",))

    def struct(
        self, node: Node, want: mi.StructType, *, default: Any = None, beside: tuple[str, ...] = ()
    ) -> Any:
        """`node` as an instance of `want`; what is not written is as in `default`, if that is one too.

        `beside` are keys that are allowed and were read already.
        """
        keys = _keys(want)
        values = msgspec.structs.asdict(default) if type(default) is want.cls else {}
        for name, child in _one_source(node.only(*keys, *beside).entries(), keys).items():
            field, unit = keys[name].field, keys[name].unit
            if keys[name].is_file:
                values[field.name] = secret_file(child)
            else:
                values[field.name] = self.value(
                    child, field.type, unit, values.get(field.name, _default(field))
                )
        for name, key in keys.items():
            if key.field.required and key.field.name not in values:
                raise missing(node, name, f"expected {expected(key.field.type, key.unit)}")
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
        if _counts(field.type) and (with_unit := _UNIT_IN_NAME.fullmatch(name)):
            before, unit, bound = with_unit.groups(default="")
            keys[before + bound] = _Key(field, UNITS[unit])
        else:
            keys[name] = _Key(field)
        if is_secret(field.type):
            keys[f"{name}_file"] = _Key(field, is_file=True)
    return keys


def _struct_type(cls: type) -> mi.StructType:
    found = mi.type_info(cls)
    assert isinstance(found, mi.StructType)
    return found


def _default(field: mi.Field) -> Any:
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
    return list(_lines(_struct_type(options), "", None, ()))


def _lines(
    struct: mi.StructType, prefix: str, instance: msgspec.Struct | None, above: tuple[type, ...]
) -> Iterator[OptionLine]:
    """The lines of `struct` under `prefix`; its defaults are those of `instance` where there is one."""
    above = (*above, struct.cls)
    for key, spec in _keys(struct).items():
        if spec.is_file:
            continue
        field, unit = spec.field, spec.unit
        default = _default(field) if instance is None else getattr(instance, field.name)
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
    plain = _as_yaml(value, unit)
    if isinstance(plain, str) and _NEEDS_NO_QUOTES.fullmatch(plain):
        return plain
    return json.dumps(plain, ensure_ascii=False)


def _as_yaml(value: Any, unit: Unit | None) -> Any:
    match value:
        case bool() | None:
            return value
        case int() | float():
            return unit.say(value) if unit else value
        case msgspec.Struct():
            keys = {key: spec for key, spec in _keys(_struct_type(type(value))).items() if not spec.is_file}
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
