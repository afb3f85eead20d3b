"""What the API would answer, asked of a store at which no collector need be at work: for commands beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from collector.api.router import encode
from collector.api.scalability.views import analysis_view
from collector.api.sla import Sla, SlaAsked
from collector.app.advice import Counsel
from collector.app.promises import accounts
from collector.config import Loaded
from collector.config.runtime import as_it_holds
from collector.store import Store
from collector.who import NOBODY
from rules.model import Host
from rules.sla.model import Span


async def sla(store: Store, loaded: Loaded, window: Span | None, now_ms: Callable[[], int]) -> bytes:
    """/sla, over `window` or over what each service is promised over. StoreError."""
    holds = await as_it_holds(loaded, store.settings)
    door = Sla(accounts(store, holds), lambda: holds.config.thresholds, now_ms)
    return encode(await door.sla(NOBODY, SlaAsked(window=window), None))


async def analysis(
    store: Store,
    loaded: Loaded,
    hosts: Sequence[Host],
    looking: Callable[[float], None],
    now_ms: Callable[[], int],
) -> bytes:
    """/scalability/analyze, of these hosts as they are now, all of them, and of services as they were last looked at.
    `looking` hears which share of the hosts was looked at. StoreError."""
    counsel = Counsel(store, await as_it_holds(loaded, store.settings), now_ms)
    reports = []
    for place, host in enumerate(hosts):
        looking(place / len(hosts))
        reports.append(await counsel.report(host))
    return encode(analysis_view(await counsel.standings(), reports, nobody="no host was heard yet"))
