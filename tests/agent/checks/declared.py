"""Whether the series that a check brings are in the catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from agent.checks import chosen
from agent.options import Kind
from agent.wire import parse_series


def undeclared(kind: Kind, names: Iterable[str]) -> list[str]:
    """Those of the names whose metric is not in `SERIES` of the kind; a name that is none at all is a ValueError."""
    return [name for name in names if not chosen(parse_series(name)[0], list(kind.module.SERIES), ["*"])]
