"""The contract between Watchkeeper and whatever keeps its data: Protocols by noun, values in and values out.

Every engine in `stores/` passes the same conformance suite. No cursor, SQL or open transaction leaves an engine, and
`commit` is the only write on the hot path: what it was given is kept whole, in order, or not at all, and is on disk
when it returns. Every method may raise StoreError; nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from rules.model import Alert, CheckAnswer, Host, Incident, Notice, Outcome, RuleState, Transition
from rules.seen import Seen


class StoreError(Exception):
    """The store cannot do it now; the sentence says what and where. `passing`: asking again later may work."""

    def __init__(self, message: str, *, passing: bool = True) -> None:
        super().__init__(message)
        self.passing = passing


# --- values ----------------------------------------------------------------------------------------------------------


class Remembered(Struct):
    """All that judging needs back after a start: small, because only what is not plainly ok is kept as state."""

    instance: str
    hosts: list[Host]
    seen: list[Seen]
    states: list[RuleState]
    alerts: list[Alert]
    incidents: list[Incident]
    next_alert: int
    next_incident: int


class TokenRow(Struct, frozen=True):
    """An agent's token as it is kept: only the SHA-256 of its secret."""

    id: str
    host: int
    secret_sha256: bytes
    created_at: int
    revoked_at: int | None = None


class Latest(Struct, frozen=True):
    """A host and the values of its newest batch, by series name; empty when it has never been heard."""

    host: Host
    values: dict[str, float]


class Points(Struct, frozen=True):
    """One series over a range: times ascending, NaN where the check gave no answer; a gap is simply not there."""

    at: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Row(Struct, frozen=True):
    """One batch as it was stored."""

    at: int
    arrived_at: int
    every_ms: int
    layout: tuple[str, ...]
    values: npt.NDArray[np.float64]


Delivery = Literal["waiting", "sending", "sent", "failed"]


class NoticeRow(Struct, frozen=True):
    """A notice and what became of it. `sending` found after a start means that a try may have got through."""

    notice: Notice
    delivery: Delivery = "waiting"
    tries: int = 0
    next_try_at: int = 0
    tried_at: int | None = None
    sent_at: int | None = None
    answer: str = ""
    perhaps_again: bool = False


class StoreHealth(Struct, frozen=True):
    """`state` ok or bad, with a sentence; sizes for /metrics and /health/detailed."""

    state: Literal["ok", "bad"]
    detail: str
    size_bytes: int
    free_bytes: int
    batches: int


# --- protocols --------------------------------------------------------------------------------------------------------


class Hosts(Protocol):
    async def enrol(self, name: str, labels: dict[str, str], token_id: str, secret_sha256: bytes, now: int) -> Host:
        """A new host and its token. StoreError when the name is taken."""
        ...

    async def add_token(self, host: int, token_id: str, secret_sha256: bytes, now: int) -> None:
        """A further token for a host that is enrolled. StoreError when there is no such host."""
        ...

    async def token(self, token_id: str) -> TokenRow | None: ...

    async def revoke(self, token_id: str, now: int) -> bool: ...

    async def all(self) -> list[Host]: ...


class Samples(Protocol):
    async def overview(self) -> list[Latest]:
        """Every host with its newest values, in name order, in one query."""
        ...

    async def latest(self, host: int) -> Latest | None: ...

    async def checks(self, host: int) -> list[CheckAnswer]:
        """How the checks of one host stand, in id order."""
        ...

    async def series(self, host: int, name: str, start: int, end: int) -> Points:
        """`start` inclusive, `end` exclusive, by sample time, however late each batch came."""
        ...

    async def rows(self, host: int, start: int, end: int, limit: int) -> list[Row]:
        """Whole batches of a range in the order of their sample times, at most `limit`."""
        ...


class Incidents(Protocol):
    async def open(self) -> list[Incident]: ...

    async def recent(self, limit: int) -> list[Incident]:
        """Newest first, open ones before resolved ones."""
        ...

    async def get(self, incident: int) -> Incident | None: ...

    async def alerts(self, incident: int) -> list[Alert]: ...

    async def open_alerts(self) -> list[Alert]: ...

    async def transitions(self, incident: int) -> list[Transition]:
        """Those of the incident's alerts, oldest first."""
        ...


class Notices(Protocol):
    async def due(self, now: int, limit: int) -> list[NoticeRow]:
        """The next notice of each (channel, incident) that waits and whose time has come: a later one is not due
        before the earlier one is sent or failed. The channels take turns, each with its oldest first: however much
        one of them has, it leaves the others their share of `limit`."""
        ...

    async def next_due_at(self) -> int | None: ...

    async def sending(self, notice: str, now: int) -> bool:
        """Mark it as on its way, on disk, before anything is sent. False when another worker has it or it is done."""
        ...

    async def sent(self, notice: str, now: int, answer: str) -> None: ...

    async def put_off(self, notice: str, now: int, answer: str, next_try_at: int) -> None: ...

    async def failed(self, notice: str, now: int, answer: str) -> None: ...

    async def interrupted(self) -> int:
        """At a start: every notice left in `sending` waits again, marked `perhaps_again`. How many there were."""
        ...

    async def recent(self, limit: int, incident: int | None = None) -> list[NoticeRow]:
        """Newest first."""
        ...

    async def counts(self) -> dict[tuple[str, Delivery], int]:
        """How many notices of each channel stand where."""
        ...


class Store(Protocol):
    hosts: Hosts
    samples: Samples
    incidents: Incidents
    notices: Notices

    async def remember(self) -> Remembered: ...

    async def commit(self, outcomes: Sequence[Outcome]) -> None: ...

    async def forget_before(self, at: int, batches_max: int) -> int:
        """Drop at most `batches_max` of the oldest batches sampled before `at`; how many were dropped."""
        ...

    async def health(self) -> StoreHealth: ...

    async def close(self) -> None: ...
