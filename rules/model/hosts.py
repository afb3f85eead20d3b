"""A host, as it is known."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rules.model.series import series_subject

SERVICE = "service:"
"""What the name of a host begins with that is none, but the source of the metrics that a service posts of itself."""

Bye = Literal["restart", "shutdown", "uninstall"]
BYES: tuple[Bye, ...] = ("restart", "shutdown", "uninstall")


class Host(Struct, gc=False):
    """A host as it is known: `labels` already merged, those set at enrolment or by an admin over the agent's own.

    `arrived_at` is when it was last heard, by the collector's clock; `last_at` the newest sample's time, corrected for
    skew. Both are None for a host that has never been heard. `flags` say what is odd about it, by a short code each:
    `clock` (its clock is off by `skew_ms`), `series` (more series than are kept), `churn` (its series change so often
    that only those are kept which stay), `names` (some of its series have names that are none, and are left out),
    `cloned` (two agents push as it), and one of BYES when its last word was that it stops. `own_labels` names those of
    `labels` that are the agent's own word; all others were set at enrolment or by an admin. `facts_at` is the sample
    time at which it last said its facts or labels.
    """

    id: int
    name: str
    labels: dict[str, str] = {}
    facts: dict[str, str] = {}
    enrolled_at: int = 0
    arrived_at: int | None = None
    last_at: int | None = None
    every_ms: int = 10_000
    skew_ms: int = 0
    flags: tuple[str, ...] = ()
    own_labels: tuple[str, ...] = ()
    facts_at: int = 0

    @property
    def subject(self) -> str:
        return f"host:{self.id}"

    @property
    def is_service(self) -> bool:
        """Whether it stands for a service that posts metrics: when there is work, so its silence says nothing."""
        return self.name.startswith(SERVICE)

    @property
    def bye(self) -> Bye | None:
        """How it said that it stops, if that was its last word; nobody is to wonder that it is silent then."""
        return next((bye for bye in BYES if bye in self.flags), None)

    @property
    def has_stopped(self) -> bool:
        """Whether it said that it stops until further notice: its silence is as it should be."""
        return self.bye in ("shutdown", "uninstall")

    def series_subject(self, series: str) -> str:
        return series_subject(self.id, series)

    @property
    def is_ephemeral(self) -> bool:
        """Whether it comes and goes as there is work, by its label: nobody is to wonder that it is silent."""
        return self.labels.get("ephemeral", "").lower() in ("true", "yes", "1")

    @property
    def binding_labels(self) -> dict[str, str]:
        """What `where` of a rule is held against: the labels, and the name as `host`."""
        return {**self.labels, "host": self.name}
