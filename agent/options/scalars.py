"""One value of YAML as one value of Python: text, numbers with and without units, choices, paths, secrets.

Each function takes the node and the type wanted, as `msgspec.inspect` describes it, and raises a ConfigError that
says what was written and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import inspect as mi

from agent.options.units import Unit
from agent.options.yamlnode import ConfigError, Node, child_path, clip, nearest, quote, reason

NUMBERS = (mi.IntType, mi.FloatType)
TEXTS = (mi.StrType, mi.LiteralType, mi.EnumType, mi.CustomType)
_WORDS: Mapping[type[mi.Type], str] = {
    mi.BoolType: "true or false",
    mi.NoneType: "null",
    mi.StrType: "text",
    mi.CustomType: "text",
    mi.AnyType: "anything",
}
SECRET_BYTES_MAX = 64 * 1024
MASK = "********"


class Secret(str):
    """Text that prints as asterisks, so that no log, error or page shows it; `reveal` is the one way to it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def reveal(self) -> str:
        return str.__str__(self)


def is_secret(want: mi.Type) -> bool:
    want = bare(want)
    if isinstance(want, mi.UnionType):
        return any(map(is_secret, want.types))
    return isinstance(want, mi.CustomType) and want.cls is Secret


def bare(want: mi.Type) -> mi.Type:
    return bare(want.type) if isinstance(want, mi.Metadata) else want


def secret_file(node: Node) -> Secret:
    """The secret in the file that `node` names; a relative path starts where the YAML file is."""
    path = Path(node.file).parent / text_of(node)
    name = clip(str(path), 150)
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
            raise node.error(f"{name} is not a file")
        with path.open("rb") as stream:
            raw = stream.read(SECRET_BYTES_MAX + 1)
        text = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise node.error(f"{name} does not hold UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise node.error(f"{name} cannot be read: {reason(error)}") from None
    if not text or len(raw) > SECRET_BYTES_MAX:
        raise node.error(f"{name} {'is larger than 64 KiB' if text else 'is empty'}")
    return Secret(text)


def scalar(node: Node, want: mi.Type, unit: Unit | None) -> Any:
    match want:
        case mi.BoolType() if isinstance(node.value, bool):
            return node.value
        case mi.NoneType() if node.value is None:
            return None
        case mi.IntType() | mi.FloatType():
            return _number(node, want, unit)
        case mi.StrType():
            return _of_pattern(node, of_length(node, text_of(node), want), want.pattern)
        case mi.LiteralType(values=values):
            return _one_of(node, {str(value): value for value in values})
        case mi.EnumType(cls=cls):
            return _one_of(node, {str(member.value): member for member in cls})
        case mi.CustomType(cls=cls) if cls in (Secret, Path):
            if not (text := text_of(node, want)):
                raise node.error("is empty")
            return cls(text)
        case mi.BoolType() | mi.NoneType():
            raise mismatch(node, want, unit)
        case _:
            raise TypeError(f"{node.path}: no way to read {want} from YAML")


def text_of(node: Node, want: mi.Type | None = None) -> str:
    """The text as written, of numbers and words too: `off` is "off", `5` is "5"."""
    if node.value is None or isinstance(node.value, dict | list):
        raise mismatch(node, want or mi.StrType(), None)
    return node.text


def _one_of(node: Node, allowed: Mapping[str, Any]) -> Any:
    text = text_of(node)
    if text not in allowed:
        raise node.error(f"unknown value {node.given()}; {nearest(text, allowed)}")
    return allowed[text]


def _number(node: Node, want: mi.IntType | mi.FloatType, unit: Unit | None) -> float:
    whole = isinstance(want, mi.IntType)
    if isinstance(node.value, bool) or not isinstance(node.value, int | float | str):
        raise mismatch(node, want, unit)
    if unit is not None:
        number = _with_unit(node, unit, whole)
    elif isinstance(node.value, int if whole else int | float):
        number = node.value if whole else float(node.value)
    else:
        raise mismatch(node, want, unit)
    limits = {"at least": want.ge, "more than": want.gt, "at most": want.le, "less than": want.lt}
    broken = (
        (want.ge is not None and number < want.ge)
        or (want.gt is not None and number <= want.gt)
        or (want.le is not None and number > want.le)
        or (want.lt is not None and number >= want.lt)
    )
    if broken:
        say = unit.say if unit else str
        allowed = " and ".join(f"{word} {say(limit)}" for word, limit in limits.items() if limit is not None)
        raise node.error(f"{node.given()} is out of range; allowed: {allowed}")
    return number


def _with_unit(node: Node, unit: Unit, whole: bool) -> float:
    if not isinstance(node.value, str):
        if node.value == 0:
            return 0 if whole else 0.0
        raise node.error(f"{node.text} has no unit; write {unit.guess(node.text)}")
    try:
        exact = unit.parse(node.value)
    except ValueError as error:
        raise node.error(str(error)) from None
    if whole and exact != int(exact):
        raise node.error(f"{quote(node.text)} is not a whole number of {unit.whole}")
    return int(exact) if whole else float(exact)


def of_length(node: Node, value: Any, want: mi.StrType | mi.CollectionType | mi.DictType) -> Any:
    """`value`, after a ConfigError for one that is shorter or longer than `want` says."""
    noun = "characters" if isinstance(want, mi.StrType) else "entries"
    if want.min_length is not None and len(value) < want.min_length:
        raise node.error(f"has {len(value)} {noun}; at least {want.min_length} are needed")
    if want.max_length is not None and len(value) > want.max_length:
        raise node.error(f"has {len(value)} {noun}; at most {want.max_length} are allowed")
    return value


def _of_pattern(node: Node, text: str, pattern: str | None) -> str:
    if pattern is not None and not re.search(pattern, text):
        raise node.error(f"{quote(text)} is not allowed; it has to match {pattern}")
    return text


def mismatch(node: Node, want: mi.Type, unit: Unit | None) -> ConfigError:
    """'expected a whole number, got "0777"; write 777': the last part where a number was surely meant."""
    bare_number = node.text.replace("_", "").lstrip("0")
    meant = isinstance(want, NUMBERS) and isinstance(node.value, str) and bare_number.isdecimal()
    hint = f"; write {unit.guess(bare_number) if unit else bare_number}" if meant else ""
    return node.error(f"expected {expected(want, unit)}, got {node.given()}{hint}")


def missing(node: Node, key: str, allowed: str) -> ConfigError:
    return ConfigError(node.file, node.line, child_path(node.path, key), f"required, but missing; {allowed}")


def expected(want: mi.Type, unit: Unit | None) -> str:
    """'a number or a mapping'."""
    match bare(want):
        case mi.UnionType(types=members):
            return " or ".join(
                expected(member, unit) for member in members if not isinstance(member, mi.NoneType)
            )
        case mi.CollectionType():
            return "a list"
        case mi.DictType() | mi.StructType():
            return "a mapping"
        case mi.IntType() | mi.FloatType() as number:
            return f"a {type_words(number, unit)}"
        case plain:
            return type_words(plain, unit)


def type_words(want: mi.Type, unit: Unit | None) -> str:
    """The type in the words of the documentation: 'duration', 'list of text', 'one of info, warning'."""
    match bare(want):
        case mi.UnionType(types=members):
            return " or ".join(type_words(member, unit) for member in members)
        case mi.CollectionType(item_type=item):
            return f"list of {type_words(item, unit)}"
        case mi.DictType(value_type=value):
            return f"mapping to {type_words(value, unit)}"
        case mi.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case mi.EnumType(cls=cls):
            return f"one of {', '.join(str(member.value) for member in cls)}"
        case mi.IntType():
            return unit.words if unit else "whole number"
        case mi.FloatType():
            return unit.words if unit else "number"
        case mi.CustomType(cls=cls) if cls is Secret:
            return "secret text"
        case other:
            return _WORDS.get(type(other), "mapping")
