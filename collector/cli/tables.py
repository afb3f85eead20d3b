"""Lists for a terminal: columns of text for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec
from msgspec import Struct


def without(values: Iterable[Struct], secret: str) -> str:
    """As JSON for programs, but for what nobody is to see."""
    found = [msgspec.structs.asdict(value) for value in values]
    return msgspec.json.encode([{k: v for k, v in one.items() if k != secret} for one in found]).decode()


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = ()) -> list[str]:
    """The lines of a table, the columns headed by one of `numbers` to the right."""
    wide = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for name, cell, width in zip(head, row, wide, strict=True)
        ).rstrip()
        for row in (head, *rows)
    ]
