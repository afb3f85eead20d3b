"""What an agent can ask: one file per kind, and here what every kind has in common.

A kind is a module with a docstring whose first line says what it tells, an `Options` struct (its settings, defaults
right for most) and a `Check` class built from those options. No list elsewhere names it. A check is plain blocking
code: it runs in a thread of its own under a time limit, so it may not touch anything but itself.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from msgspec import Struct

from agent.wire import Answer


class CheckOptions(Struct, kw_only=True, frozen=True):
    """What every check can be told. `id` names it in series and messages; the kind's name when left out."""

    id: str = ""
    enabled: bool = True
    timeout_s: float = 5.0

    by_default: ClassVar[bool] = False
    """True for a check of the host itself: it runs without being named in the config."""


class Measured(Struct):
    """What one run of a check found. A sample of None says: asked, no answer."""

    samples: dict[str, float | None]
    state: Answer = "ok"
    detail: str = ""


class Check(Protocol):
    def __init__(self, options: Any) -> None: ...

    def measure(self, at_s: float) -> Measured:
        """Ask once. `at_s` is a monotonic time in seconds, for rates. Any exception means: no answer, and says why."""
        ...
