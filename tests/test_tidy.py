"""What the linter cannot say about the code: that it stays in pieces that a reader can hold in mind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# Put together here, so that this file does not find itself.
LEFTOVERS = ("FIX" + "ME", "TO" + "DO", "XX" + "X")
TEXT_KINDS = {".py", ".md", ".yaml", ".toml", ".html", ".css", ".js", ".sql", ".txt"}


def sources() -> Iterator[Path]:
    for package in ("agent", "rules", "collector"):
        yield from sorted((ROOT / package).rglob("*.py"))


def texts() -> Iterator[Path]:
    yield from (path for path in sorted(ROOT.glob("*")) if path.suffix in TEXT_KINDS)
    for folder in ("agent", "rules", "collector", "docs", "tests"):
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in TEXT_KINDS)


def long_functions(source: str, lines_max: int) -> list[tuple[int, str, int]]:
    """Return (line, name, lines) of each function in `source` longer than `lines_max`."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (node.lineno, node.name, lines)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, functions) and (lines := node.end_lineno - node.lineno + 1) > lines_max
    ]


def test_no_file_is_too_long() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: count for name, count in lines.items() if count > FILE_LINES_MAX} == {}


def test_no_function_is_too_long() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{line}: {name} has {lines} lines"
        for path in sources()
        for line, name, lines in long_functions(path.read_text(), FUNCTION_LINES_MAX)
    ]
    assert too_long == []


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for word in LEFTOVERS
        if word in line
    ]
    assert found == []


@pytest.mark.parametrize("opening", ["def long():", "async def long():"])
def test_a_long_function_is_found(opening: str) -> None:
    source = opening + "\n    pass" * 3
    assert long_functions(source, lines_max=3) == [(1, "long", 4)]
    assert long_functions(source, lines_max=4) == []
