"""Desks over a store, as the collector joins them."""

from __future__ import annotations

from collections.abc import Callable

from collector.config import CollectorConfig
from collector.desks.policies import Policies
from collector.desks.trail import Audit
from collector.evaluator import Evaluator
from collector.store import Store


def policies_of(
    store: Store, judge: Evaluator, now_ms: Callable[[], int], said: CollectorConfig | None = None
) -> Policies:
    return Policies(store.policy, judge, said or CollectorConfig(), Audit(store.people, now_ms), now_ms)
