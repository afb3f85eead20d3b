"""The way to all pages: what the head of each offers, to those who may go there."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from collector.who import Permission


class Entry(Struct, frozen=True):
    """`below` are beginnings of the paths of pages that belong to it besides those below its own."""

    url: str
    name: str
    needs: Permission = "monitoring.read"
    below: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether a page is this one, or one of those behind it."""
        own = (f"{self.url}/",) if self.url != "/" else ()
        return path == self.url or path.startswith((*own, *self.below))


ENTRIES = (
    Entry("/", "Overview", below=("/hosts/",)),
    Entry("/alerts", "Alerts"),
    Entry("/incidents", "Incidents"),
    Entry("/services", "Services"),
    Entry("/advice", "Advice"),
    Entry("/silences", "Silences"),
    Entry("/rules", "Rules"),
    Entry("/notices", "Notices"),
    Entry("/audit", "Audit", "monitoring.audit.read"),
    Entry("/status", "Status"),
    Entry("/settings", "Settings", needs="monitoring.config.read"),
)


def menu(path: str, may: Collection[Permission]) -> list[tuple[str, str, bool]]:
    """Address, name, and whether one is there already."""
    return [(entry.url, entry.name, entry.holds(path)) for entry in ENTRIES if entry.needs in may]
