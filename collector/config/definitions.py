"""Checks that the collector has hosts run: what of them can be read without knowing their kinds, as an agent does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from agent.options import Node, convert
from agent.wire import DEFINITION_BYTES_MAX, Text
from rules.fleet.shared import SharedCheck
from rules.labels import fits
from rules.sla.model import Need


class Definition(Struct, frozen=True):
    """A check that hosts with such labels are to run (as `where` of a rule: `host` is the host's name).

    Whether it is right only an agent can say, which knows the kinds; `text` is what it is sent: JSON, with each scalar
    as it was written. `shared` says how it is judged over all its hosts, None where each is judged by itself.
    """

    id: str
    where: dict[str, str | list[str]]
    text: bytes
    shared: SharedCheck | None = None

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is one of those that are to run it."""
        return fits(self.where, labels)


def read_definitions(node: Node) -> list[Definition]:
    """The checks of the list `node`, in its order. ConfigError."""
    definitions = [_definition(entry) for entry in node.items()]
    _refuse_one_id_twice(definitions, node)
    return definitions


def _definition(entry: Node) -> Definition:
    """What of a check can be seen without knowing its kind is looked at here. ConfigError."""
    head = convert(
        replace(entry, value={key: entry.get(key) for key in _HEAD if key in entry.entries()}), _Head
    )
    options = {key: child for key, child in entry.entries().items() if key not in _OURS}
    text = _as_json(replace(entry, value=options))
    if len(text) > DEFINITION_BYTES_MAX:
        raise entry.error(
            f"{len(text)} bytes of options; at most {DEFINITION_BYTES_MAX} are sent to an agent"
        )
    shared = None
    if head.about or head.need is not None:
        shared = SharedCheck(head.id, head.where, head.about, head.need or "any")
    return Definition(head.id, head.where, text, shared)


class _Head(Struct, frozen=True, kw_only=True):
    kind: Text
    id: Annotated[str, Meta(min_length=1, max_length=200)]
    where: dict[str, str | list[str]] = msgspec.field(name="from")
    about: Annotated[str, Meta(max_length=100)] = ""
    need: Need | None = None


_HEAD = ("kind", "id", "from", "about", "need")
_OURS = ("from", "about", "need")
"""What agents are not sent."""


def _as_json(node: Node) -> bytes:
    """A node as JSON that keeps how a number was written. ConfigError where JSON has no such number."""
    match node.value:
        case dict():
            members = (msgspec.json.encode(key) + b":" + _as_json(child) for key, child in node.value.items())
            return b"{" + b",".join(members) + b"}"
        case list():
            return b"[" + b",".join(map(_as_json, node.value)) + b"]"
        case str():
            return msgspec.json.encode(node.text)
        case None | bool():
            return msgspec.json.encode(node.value)
    try:
        msgspec.json.decode(node.text)
    except msgspec.DecodeError:
        raise node.error(f"write {node.value}, or put it in quotes if it is text") from None
    return node.text.encode()


def _refuse_one_id_twice(definitions: Sequence[Definition], node: Node) -> None:
    ids: set[str] = set()
    for definition, entry in zip(definitions, node.items(), strict=True):
        if definition.id in ids:
            raise entry.get("id").error(f'there are two checks of the id "{definition.id:.100}"; rename one')
        ids.add(definition.id)
