"""What an agent can ask: one file per kind, and here what every kind has in common.

A kind is a module with a docstring whose first line says what it tells, an `Options` struct (its settings, defaults
right for most), a `Check` class built from those options, and `SERIES`: a dict that says, for the name of each series
it may bring (without labels; the unit is in the name), what it means. A name in `SERIES` that ends in `*` stands for
all that begin so, for kinds whose names come from elsewhere. Where a kind may lack rights, `RIGHTS` says how to give
them. No list elsewhere names it. A check is plain blocking code: it runs in a thread of its own under a time limit, so
it may not touch anything but itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Protocol, runtime_checkable

from msgspec import Meta, Struct

from agent.net.dial import Reach
from agent.wire import Answer


class CheckOptions(Struct, kw_only=True, frozen=True):
    """What every check can be told.

    id: its name in series and messages; the kind's name when left out
    enabled: false takes it out without deleting its settings
    timeout: how long it may take; after that there is no answer
    every: how often to ask it at most, such as 5m for a slow one; its last answer is repeated in between; 0s: each tick
    """

    id: Annotated[str, Meta(max_length=200)] = ""
    enabled: bool = True
    timeout_s: Annotated[float, Meta(gt=0, le=300)] = 5.0
    every_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0

    by_default: ClassVar[bool] = False
    """True for a check of the host itself: it runs without being named in the config."""


class Measured(Struct):
    """What one run of a check found. A sample of None says: asked, no answer.

    `detail` is kept whenever its words change, so the sentence about what lasts should stay the same.
    """

    samples: dict[str, float | None]
    state: Answer = "ok"
    detail: str = ""


class Check(Protocol):
    def __init__(self, options: Any) -> None: ...

    def measure(self, at_s: float) -> Measured:
        """Ask once. `at_s` is a monotonic time in seconds, for rates. Any exception means: no answer, and says why."""
        ...


@runtime_checkable
class Reaching(Protocol):
    """A check that goes to other addresses: it resolves no name without `reach`, which may be set after it is made."""

    reach: Reach


def chosen(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a name fits a pattern of `include` or, where that is empty, none of `exclude`; `*` is anything.

    What is included by name is meant, also where the exclusions that are there by default would leave it out.
    """
    if include:
        return any(fnmatchcase(name, pattern) for pattern in include)
    return not any(fnmatchcase(name, pattern) for pattern in exclude)
