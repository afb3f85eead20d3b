"""From YAML to Structs: the first mistake found is an error that says where, what and what is allowed."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as mi

from agent.options.keys import Key, default_of, keys_of, struct_type
from agent.options.kinds import KindSet
from agent.options.scalars import (
    NUMBERS,
    TEXTS,
    bare,
    expected,
    mismatch,
    missing,
    of_length,
    scalar,
    secret_file,
    text_of,
)
from agent.options.units import Unit
from agent.options.yamlnode import Node, nearest, quote

T = TypeVar("T")

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
        options = struct_type(choice.kinds[name].options)
        return self.struct(msgspec.structs.replace(node, value=entries), options, beside=("kind",))

    def struct(
        self, node: Node, want: mi.StructType, *, default: Any = None, beside: tuple[str, ...] = ()
    ) -> Any:
        """`node` as an instance of `want`; what is not written is as in `default`, if that is one too.

        `beside` are keys that are allowed and were read already.
        """
        keys = keys_of(want)
        values = msgspec.structs.asdict(default) if type(default) is want.cls else {}
        for name, child in _one_source(node.only(*keys, *beside).entries(), keys).items():
            field, unit = keys[name].field, keys[name].unit
            if keys[name].is_file:
                values[field.name] = secret_file(child)
            else:
                values[field.name] = self.value(
                    child, field.type, unit, values.get(field.name, default_of(field))
                )
        for name, key in keys.items():
            if key.field.required and key.field.name not in values:
                raise missing(node, name, f"expected {expected(key.field.type, key.unit)}")
        try:
            return want.cls(**values)
        except ValueError as error:
            raise node.error(str(error)) from None


def _one_source(entries: Mapping[str, Node], keys: Mapping[str, Key]) -> dict[str, Node]:
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
