"""An agent that runs no checks but those that a test asks for."""

from __future__ import annotations

import agent.checks
from agent.options import discover

BY_DEFAULT = [
    kind.name for kind in discover(agent.checks).values() if getattr(kind.options, "by_default", False)
]
"""The kinds of checks that run where the config says nothing of them."""


def quiet(*named: str) -> list[dict[str, object]]:
    """For the section `checks` of a config: all that run by default are switched off, but for those named."""
    return [{"kind": kind, "enabled": False} for kind in BY_DEFAULT if kind not in named]
