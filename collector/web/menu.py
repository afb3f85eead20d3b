"""The way to all pages: what is looked at daily in one row, the rest behind a word, to those who may go there."""

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


DAILY = (
    Entry("/", "Overview", below=("/hosts/",)),
    Entry("/alerts", "Alerts"),
    Entry("/incidents", "Incidents"),
    Entry("/services", "Services"),
    Entry("/advice", "Advice"),
)
OTHERS = (
    Entry("/silences", "Silences"),
    Entry("/rules", "Rules"),
    Entry("/notices", "Notices"),
    Entry("/audit", "Audit", "monitoring.audit.read"),
    Entry("/settings", "Settings", "monitoring.config.read"),
    Entry("/status", "Status page"),
)


class Link(Struct, frozen=True):
    """`here`: the page is that one, or belongs to it."""

    url: str
    name: str
    here: bool


class Menu(Struct, frozen=True):
    daily: list[Link]
    others: list[Link]


def menu(path: str, may: Collection[Permission]) -> Menu:
    """What whoever has these rights can go to from there."""
    daily, others = (
        [Link(entry.url, entry.name, entry.holds(path)) for entry in entries if entry.needs in may]
        for entries in (DAILY, OTHERS)
    )
    return Menu(daily, others)
