"""What a host says, as a rule looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

CheckState = Literal["ok", "warn", "bad", "unknown"]


class CheckAnswer(Struct, frozen=True, gc=False):
    """How a check of a host stands since `at`. Kept whenever its state or its words change."""

    id: str
    kind: str
    state: CheckState
    at: int
    ms: float | None = None
    detail: str = ""


class CheckSaid(Protocol):
    """What a check said in one tick, as whoever took it in has it."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> CheckState: ...
    @property
    def ms(self) -> float | None: ...
    @property
    def detail(self) -> str: ...


class Arrival(Struct, gc=False):
    """One batch at the collector's door: validated, its time corrected, its series in one order.

    `values` has one float64 per name in `layout`, NaN where the check gave no answer. `facts` and `labels` are None
    when the batch carried none. Without series and checks it is a word of the agent, such as its bye, and no sample.
    `said` is all that the checks said but how long they took, in one text: the same text is the same answers. It is
    empty where it is not known.
    """

    host: int
    spool: str
    seq: int
    floor: int
    at: int
    arrived_at: int
    every_ms: int
    skew_ms: int
    layout: tuple[str, ...]
    values: npt.NDArray[np.float64]
    checks: Sequence[CheckSaid] = ()
    facts: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    flags: tuple[str, ...] = ()
    said: str = ""
