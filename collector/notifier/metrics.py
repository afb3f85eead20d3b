"""What /metrics says of the outbox."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rules.model import Reason

BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600, 3_600, 86_400)


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.notices = Counter(
            "watchkeeper_notices",
            "Notices that came to their end",
            ["channel", "reason", "outcome"],
            registry=registry,
        )
        self.tries = Counter(
            "watchkeeper_notice_tries", "Tries to send a notice", ["channel", "outcome"], registry=registry
        )
        self.delay = Histogram(
            "watchkeeper_notice_delay_seconds",
            "From a notice being owed to the far side having taken it",
            ["channel"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self.waiting = Gauge(
            "watchkeeper_notices_waiting", "Notices not yet sent", ["channel"], registry=registry
        )
        self.oldest = Gauge(
            "watchkeeper_notices_oldest_waiting_seconds",
            "Age of the oldest notice that was tried or is about to be, and is not yet sent",
            registry=registry,
        )
        self.errors = Counter(
            "watchkeeper_notifier_errors",
            "Errors that a task of the notifier met and survived",
            ["task"],
            registry=registry,
        )

    def expect(self, channel: str) -> None:
        """Start a channel's counters at 0: a rate from nothing to 1 is not seen."""
        for outcome in ("sent", "put_off", "failed"):
            self.tries.labels(channel, outcome)
        for reason in get_args(Reason):
            for outcome in ("sent", "failed", "overtaken"):
                self.notices.labels(channel, reason, outcome)
