"""The contract between Watchkeeper and whatever keeps its data: Protocols by noun, values in and values out.

Every engine in `stores/` passes the same conformance suite. No cursor, SQL or open transaction leaves an engine, and
`commit` is the only write on the hot path. Whatever is written is on disk when the call returns; what is read is of one
moment. Every method may raise StoreError, and nothing else unless it says so. A caller that is cancelled while it
writes does not learn whether that was kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from agent.wire import Evidence
from collector.store.advice import Advice
from collector.store.hosts import SERVICES_MAX as SERVICES_MAX
from collector.store.hosts import Hosts as Hosts
from collector.store.hosts import TokenRow as TokenRow
from collector.store.jobs import Jobs
from collector.store.joins import Joins
from collector.store.listing import Listing
from collector.store.notices import Delivery as Delivery
from collector.store.notices import NoticeRow as NoticeRow
from collector.store.notices import Notices as Notices
from collector.store.people import People
from collector.store.policy import PolicyKept
from collector.store.promises import Promises
from collector.store.queries import Queries
from collector.store.remarks import Remarks
from collector.store.settings import Settings
from rules.memory.seen import Seen
from rules.model import Alert, CheckAnswer, Host, Incident, Outcome, RuleState, Severity, Transition

LIST_MAX = 10_000
"""No list of incidents, alerts, transitions or names is longer."""
POINTS_MAX = 1_000_000
"""No range of a series holds more; a longer one is refused rather than cut."""
SERIES_AT_ONCE_MAX = 100
DAY_MS = 86_400_000
SPOOLS_PER_HOST_MAX, CHECKS_PER_HOST_MAX = 100, 1_000
"""A host keeps no more of either; those heard of longest ago are forgotten."""


class StoreError(Exception):
    """The store cannot do it now; the sentence says what and where. `passing`: asking again later may work."""

    def __init__(self, message: str, *, passing: bool = True) -> None:
        super().__init__(message)
        self.passing = passing


# --- values ----------------------------------------------------------------------------------------------------------


class Remembered(Struct):
    """All that judging needs back after a start: small, because only what is not plainly ok is kept as state.

    `incidents` are those open, those resolved so short a while ago that they may be opened again, and those of whose
    end somebody is still to be told. `alerts` are those open, then those resolved of these incidents, the newest first.
    `sent` has channel, severity and time of each message within the hour that was not of an end, oldest first.
    """

    instance: str
    hosts: list[Host]
    seen: list[Seen]
    states: list[RuleState]
    alerts: list[Alert]
    incidents: list[Incident]
    next_alert: int
    next_incident: int
    sent: list[tuple[str, Severity, int]] = []


class Latest(Struct, frozen=True):
    """A host and its newest batch: a number for each name, NaN where the check gave no answer, none when it has never
    been heard. Newest is by sample time; of two of the same time, the one that came last."""

    host: Host
    names: Sequence[str] = ()
    numbers: Sequence[float] = ()

    @property
    def values(self) -> dict[str, float]:
        """The numbers by name. Made anew each time: of ten thousand hosts, a page shows the values of a tenth."""
        return dict(zip(self.names, self.numbers, strict=True))


class Points(Struct, frozen=True):
    """One series over a range: times ascending, NaN where the check gave no answer; a gap is simply not there."""

    at: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Row(Struct, frozen=True):
    """One batch as it was stored; `values` is not to be written to."""

    at: int
    arrived_at: int
    every_ms: int
    layout: tuple[str, ...]
    values: npt.NDArray[np.float64]


class Steps(Struct, frozen=True):
    """One series over a range in steps of `step_ms`: the lowest, the highest and the mean of each, so no spike is lost.

    `at` is where a step begins, a multiple of `step_ms`; a step in which no batch named the series is not there.
    `count` is how many answers it holds; where it holds none, count is 0 and the others are NaN.
    """

    step_ms: int
    at: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    count: npt.NDArray[np.int64]


class LatestValue(Struct, frozen=True):
    """One series of a metric in its host's newest batch, sampled at `at`: NaN where the check gave no answer."""

    host: int
    name: str
    at: int
    value: float


class Keep(Struct, frozen=True):
    """How long each thing is kept, and how large the store may become; None leaves that to the disk.

    `history_ms` is for transitions, and for incidents with their alerts and notices once they are resolved. When the
    store comes near `budget_bytes`, the oldest samples go before their time, then the oldest rollups.
    """

    samples_ms: int = 14 * DAY_MS
    rollups_ms: int = 400 * DAY_MS
    history_ms: int = 5 * 365 * DAY_MS
    budget_bytes: int | None = None


class EvidenceRow(Struct, frozen=True):
    """What the agent of a host found when an alert began, in the words of the wire."""

    alert: int
    incident: int
    host: int
    arrived_at: int
    found: Evidence


class StoreHealth(Struct, frozen=True):
    """`state` bad means that the newest write failed for a reason that lies with the disk or the file.

    `size_bytes` is what the store takes on its disk, `free_bytes` what that disk has left for it.
    """

    state: Literal["ok", "bad"]
    detail: str
    size_bytes: int
    free_bytes: int
    batches: int


# --- protocols --------------------------------------------------------------------------------------------------------


class Samples(Protocol):
    async def overview(self) -> list[Latest]:
        """Every host with its newest values, in name order, in one query."""
        ...

    async def latest(self, host: int) -> Latest | None: ...

    async def checks(self, host: int) -> list[CheckAnswer]:
        """How the checks of one host stand, in id order."""
        ...

    async def series(self, host: int, name: str, start: int, end: int) -> Points:
        """`start` inclusive, `end` exclusive, by sample time, however late each batch came. StoreError when the range
        holds more than POINTS_MAX batches."""
        ...

    async def series_step(
        self, host: int, names: Sequence[str], start: int, end: int, step_ms: int
    ) -> dict[str, Steps]:
        """Several series over a range, in steps, from samples or from rollups, whichever serves.

        `start` and `end` are moved outwards to whole steps. Where only rollups are left the steps may be longer than
        asked for: see `step_ms` of what comes back, the same for all. Lowest, highest and count are exact; a mean from
        rollups is right to a few thousandths of the way from lowest to highest. At most SERIES_AT_ONCE_MAX names.
        StoreError when it would have to look at more than POINTS_MAX samples.
        """
        ...

    async def names(self, host: int, start: int, end: int) -> list[str]:
        """The series that a host had in a range, sorted; at most LIST_MAX, then those of late. A batch that lies just
        outside may count."""
        ...

    async def histogram(self, host: int, series: str, start: int, end: int) -> dict[int, int]:
        """How many values of a duration fell into each bucket of `rules.histograms` over a range, by sample time.

        Exact, however much of it is packed or summed up. Labels in {} narrow it; all series that fit are added up.
        ValueError when `series` is written as none is.

        Where only rollups are left, the quarters of an hour that the range begins and ends in count whole.
        """
        ...

    async def latest_of(self, metric: str) -> list[LatestValue]:
        """A metric over the fleet: every series of it in the newest batch of each host, by host and name."""
        ...

    async def rows(self, host: int, start: int, end: int, limit: int) -> list[Row]:
        """Whole batches of a range in the order of their sample times, at most `limit`. The series of a layout may come
        in another order than they did."""
        ...


class Incidents(Remarks, Protocol):
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

    async def evidence(self, incident: int) -> list[EvidenceRow]:
        """In the order of its arrival."""
        ...

    async def add_evidence(self, row: EvidenceRow) -> None:
        """Nothing changes when there is some about that alert already, or the incident is not there any more."""
        ...


class Store(Protocol):
    hosts: Hosts
    samples: Samples
    incidents: Incidents
    listing: Listing
    notices: Notices
    people: People
    queries: Queries
    settings: Settings
    jobs: Jobs
    joins: Joins
    advice: Advice
    policy: PolicyKept
    promises: Promises

    async def remember(self, now: int) -> Remembered: ...

    async def commit(self, outcomes: Sequence[Outcome]) -> None:
        """Keep all that follows from `outcomes` whole, in their order, or nothing of it (StoreError).

        Of calls that overlap, the earlier one is kept first. The outcomes must not be altered before it returns. States
        that are ok and have no alert are forgotten. A batch that the judge calls late, though stored, is never its
        host's newest. Of a check the answer with the greatest `at` stays. A passing StoreError says that the disk is
        nearly full, or the store as large as it may become.
        """
        ...

    async def seal(self, now: int) -> bool:
        """A piece of packing: batches that are an hour old or so are kept smaller, whole days are summed up, and what
        came late is worked in. Nothing that is read changes by it. True when there may be more to do now.

        A piece takes milliseconds, and commits go on meanwhile.
        """
        ...

    async def forget(self, keep: Keep, now: int) -> bool:
        """A piece of dropping what has had its time, and of giving room back to the disk. True when there may be more.

        Samples go by whole hours, rollups by whole days. A host's newest batch, whatever its age, and incidents that
        are not resolved, stay. What comes late from before the samples that are kept is dropped, too. From this call on
        `commit` refuses to let the store grow beyond `keep.budget_bytes`.
        """
        ...

    async def health(self) -> StoreHealth:
        """Cheap enough to be asked every few seconds. Raises nothing."""
        ...

    async def close(self) -> None:
        """Do what was asked for already, then let go of everything."""
        ...
