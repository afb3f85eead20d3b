"""What entries of a list have in common: channels, rules, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from agent.options import Node


class Named(Protocol):
    @property
    def name(self) -> str: ...


def kind_of(options: Struct) -> str:
    return type(options).__module__.rpartition(".")[2]


def refuse_one_name_twice(noun: str, named: Sequence[Named], node: Node) -> None:
    """`node` is the list that `named` was read from."""
    names: set[str] = set()
    entries = node.value if isinstance(node.value, list) else []
    for options, entry in zip(named, entries, strict=True):
        if options.name in names:
            raise entry.get("name").error(f'there are two {noun} called "{options.name}"; rename one')
        names.add(options.name)
