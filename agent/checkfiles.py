"""Checks in files of their own beside the agent's config, so that whoever installs a service can bring its check."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from agent.checks import CheckOptions
from agent.options import Kind, KindSet, Node, convert, read_yaml

Written = tuple[CheckOptions, Node]
"""A check as it is written, and where."""


class CheckFile(Struct, frozen=True):
    """A file of checks, written as they are in the agent's config."""

    checks: list[CheckOptions] = []


def checks_in(file: Path, kinds: dict[str, Kind]) -> list[Written]:
    """The checks of one file, in its order. Raises ConfigError."""
    root = read_yaml(file)
    root.only("checks")
    content = convert(root, CheckFile, kinds={CheckOptions: KindSet(kinds)})
    return with_places(content.checks, root.get("checks"))


def with_places(given: list[CheckOptions], node: Node) -> list[Written]:
    return list(zip(given, node.items() if given else [], strict=True))
