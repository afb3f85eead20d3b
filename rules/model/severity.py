"""How grave something is."""

from __future__ import annotations

from typing import Literal

Severity = Literal["info", "warning", "critical"]
RANK: dict[Severity | None, int] = {None: 0, "info": 1, "warning": 2, "critical": 3}


def worst(*severities: Severity | None) -> Severity | None:
    """The gravest of those given, None counting as less than any."""
    return max(severities, key=lambda severity: RANK[severity], default=None)
